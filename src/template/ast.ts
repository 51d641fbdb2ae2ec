import type { Value } from './value.js'

/** A template as {@link parse} reads it. Offsets are UTF-16 units from the start of the text. */
export interface TemplateTree {
  readonly nodes: readonly Node[]
  /** Variables that are in use at the same time, `$` included. */
  readonly slots: number
}

export type Node = TextNode | ActionNode | BranchNode | TemplateNode | JumpNode

export interface TextNode {
  readonly type: 'text'
  readonly text: string
}

export interface ActionNode {
  readonly type: 'action'
  readonly pipe: Pipe
}

export interface BranchNode {
  readonly type: 'if' | 'with' | 'range'
  readonly pipe: Pipe
  readonly then: readonly Node[]
  readonly otherwise: readonly Node[] | null
}

export interface TemplateNode {
  readonly type: 'template'
  readonly name: string
  readonly pipe: Pipe | null
  readonly offset: number
}

export interface JumpNode {
  readonly type: 'break' | 'continue'
}

export interface Pipe {
  readonly offset: number
  /** Where the value goes; two only in `range`. Empty: nowhere. */
  readonly variables: readonly number[]
  readonly commands: readonly Command[]
}

export interface Command {
  readonly offset: number
  /** The first may be a function; never empty. */
  readonly args: readonly Operand[]
}

export type Operand =
  | { readonly type: 'constant'; readonly value: boolean | string; readonly offset: number }
  | NumberOperand
  | { readonly type: 'nil' | 'dot'; readonly offset: number }
  | { readonly type: 'field'; readonly names: readonly string[]; readonly offset: number }
  | {
      readonly type: 'variable'
      readonly slot: number
      readonly names: readonly string[]
      readonly offset: number
    }
  | { readonly type: 'function'; readonly name: string; readonly offset: number }
  | { readonly type: 'pipe'; readonly pipe: Pipe; readonly offset: number }
  | {
      readonly type: 'chain'
      readonly of: Operand
      readonly names: readonly string[]
      readonly offset: number
    }

export interface NumberOperand {
  readonly type: 'number'
  /** What it is where any type will do. */
  readonly value: Value
  /** As a whole number, or null when it is none. */
  readonly integer: bigint | null
  readonly float: number
  readonly offset: number
}
