import type { GoTime } from './go-time.js'
import { Func, type GoMap, type Param, type Run, type Value } from './value.js'

interface ParamTypes {
  any: Value
  string: string
  bytes: Uint8Array
  int: bigint
  float: number
  bool: boolean
  map: GoMap
  time: GoTime
}

type Arguments<P extends readonly Param[]> = { [I in keyof P]: ParamTypes[P[I]] }

/** A function with a fixed number of parameters. */
export function fn<const P extends readonly Param[]>(
  name: string,
  params: P,
  call: (run: Run, ...args: Arguments<P>) => Value,
): Func {
  return new Func(name, params, null, (args, run) =>
    call(run, ...(args as unknown as Arguments<P>)),
  )
}

/** A function whose last parameter takes any number of arguments. */
export function variadic<const P extends readonly Param[], R extends Param>(
  name: string,
  params: P,
  rest: R,
  call: (run: Run, rest: ParamTypes[R][], ...args: Arguments<P>) => Value,
): Func {
  const count = params.length
  return new Func(name, params, rest, (args, run) =>
    call(
      run,
      args.slice(count) as ParamTypes[R][],
      ...(args.slice(0, count) as unknown as Arguments<P>),
    ),
  )
}

/** As {@link variadic} without named parameters, for what takes reflect.Values in Go. */
export function raw(
  name: string,
  count: number,
  isVariadic: boolean,
  call: (run: Run, args: Value[]) => Value,
): Func {
  const params = new Array<Param>(count).fill('any')
  return new Func(name, params, isVariadic ? 'any' : null, (args, run) => call(run, args), true)
}
