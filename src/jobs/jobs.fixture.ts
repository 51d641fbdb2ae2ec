/** Jobs of the tests. */
export const double = (n: number): number => n * 2

export function fail(message: string): never {
  throw new Error(message)
}

export function spin(): never {
  for (;;);
}

/** Holds its thread until the memory says so. */
export function wait(memory: SharedArrayBuffer): string {
  Atomics.wait(new Int32Array(memory), 0, 0)
  return 'done'
}
