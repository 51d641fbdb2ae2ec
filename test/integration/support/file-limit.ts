import koffi from 'koffi'

const RLIMIT_FSIZE = 1
const UNLIMITED = 0xffff_ffff_ffff_ffffn

const prlimit = koffi
  .load(null)
  .func('int prlimit(int pid, int resource, const void *wanted, void *before)')

/**
 * From now on a process can write no byte of a file at or behind this place: every write to a log
 * fails with EFBIG, as one to a disk without room does with ENOSPC. Infinity: it can again. A
 * system call, since the tool of that name is not on every machine.
 */
export function limitFiles(pid: number, bytes: number): void {
  const wanted = Buffer.alloc(16)
  wanted.writeBigUInt64LE(Number.isFinite(bytes) ? BigInt(bytes) : UNLIMITED, 0)
  // The hard limit stays, so that the soft one can be raised again.
  wanted.writeBigUInt64LE(UNLIMITED, 8)
  if (prlimit(pid, RLIMIT_FSIZE, wanted, null) !== 0) {
    throw new Error(`prlimit of ${pid}: error ${koffi.errno()}`)
  }
}
