import { nodeOf, type Schema, type SchemaNode } from './node.js'

/**
 * Every field that a schema knows, from the top, as in `rules[].paths[].backend`: `[]` stands for
 * the items of a list, `.*` for the values of a map. Of a union there are the fields that all
 * members have. What is used in several places is there for each of them; in the order of the schema.
 */
export function fieldPaths(schema: Schema<unknown>): readonly string[] {
  const paths: string[] = []
  visit(nodeOf(schema), '', paths)
  return paths
}

function visit(node: SchemaNode, path: string, paths: string[]): void {
  if (node.type === 'list') visit(node.item, `${path}[]`, paths)
  else if (node.type === 'map') visit(node.value, path === '' ? '*' : `${path}.*`, paths)
  else if (node.type !== 'leaf') {
    for (const [name, field] of node.type === 'object' ? node.fields : node.head) {
      const own = path === '' ? name : `${path}.${name}`
      paths.push(own)
      visit(field, own, paths)
    }
  }
}
