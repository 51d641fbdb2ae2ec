import type { Node, Operand, Pipe, TemplateTree } from './ast.js'
import { MAIN } from './parser.js'

/** See `fieldsRead`. */
export function fieldsOf(trees: ReadonlyMap<string, TemplateTree>): string[][] {
  const walk = new Walk()
  // What dot is in a template that is called, its text does not tell.
  for (const [name, { nodes }] of trees) walk.nodes(nodes, name === MAIN)
  return walk.found
}

class Walk {
  readonly found: string[][] = []

  nodes(nodes: readonly Node[], isRoot: boolean): void {
    for (const node of nodes) this.#node(node, isRoot)
  }

  #node(node: Node, isRoot: boolean): void {
    switch (node.type) {
      case 'action':
        this.#pipe(node.pipe, isRoot)
        return
      case 'template':
        if (node.pipe !== null) this.#pipe(node.pipe, isRoot)
        return
      case 'if':
      case 'with':
      case 'range':
        this.#pipe(node.pipe, isRoot)
        this.nodes(node.then, isRoot && node.type === 'if')
        if (node.otherwise !== null) this.nodes(node.otherwise, isRoot)
        return
      default:
    }
  }

  #pipe(pipe: Pipe, isRoot: boolean): void {
    for (const { args } of pipe.commands) for (const arg of args) this.#operand(arg, isRoot)
  }

  #operand(operand: Operand, isRoot: boolean): void {
    switch (operand.type) {
      case 'field':
        this.found.push(isRoot ? [...operand.names] : ['', ...operand.names])
        return
      case 'variable':
        // `$` is the data in the main template; elsewhere it is what the template was called with.
        this.found.push(operand.slot === 0 ? [...operand.names] : ['', ...operand.names])
        return
      case 'dot':
        this.found.push(isRoot ? [] : [''])
        return
      case 'pipe':
        this.#pipe(operand.pipe, isRoot)
        return
      case 'chain':
        this.#operand(operand.of, isRoot)
        this.found.push(['', ...operand.names])
        return
      default:
    }
  }
}
