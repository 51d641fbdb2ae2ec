import { codecBuiltins } from './builtins-codec.js'
import { collectionBuiltins } from './builtins-collection.js'
import { textBuiltins } from './builtins-text.js'
import { timeBuiltins } from './builtins-time.js'
import { tokenBuiltins } from './builtins-token.js'
import type { Run } from './code.js'
import type { Value } from './value.js'

/** A function of the language. */
export interface Builtin {
  /** -1: any. */
  readonly arity: number
  /** 'many': what it gives is a list, each item of which is a result. */
  readonly results: 'one' | 'many'
  /** Undefined where an argument is of a wrong type or outside what the function is made for. */
  run(args: readonly Value[], run: Run): Value | undefined
}

export type BuiltinTable = Readonly<
  Record<string, readonly [arity: number, run: Builtin['run'], results?: 'many']>
>

/** Every function there is. Those that would talk to the network or wait are left out. */
export const builtins: ReadonlyMap<string, Builtin> = new Map(
  [collectionBuiltins, textBuiltins, codecBuiltins, tokenBuiltins, timeBuiltins].flatMap((table) =>
    Object.entries(table).map(
      ([name, [arity, run, results = 'one']]): readonly [string, Builtin] => [
        name,
        { arity, results: results as Builtin['results'], run },
      ],
    ),
  ),
)
