import { nodeOf, type ObjectNode, type Schema, type SchemaNode, type UnionNode } from './node.js'

interface DocRow {
  /** From the top, as in `rules[].paths[].backend`; `.*` stands for any key of a map. */
  readonly path: string
  /** The last step of the path. */
  readonly field: string
  readonly type: string
  /** Path of the table that describes the type's own fields; null when it has none. */
  readonly table: string | null
  readonly required: boolean
  /** As a user would write it; null without one. */
  readonly default: string | null
  readonly doc: string
  readonly constraints: string
}

/** The fields of one object. */
export interface DocTable {
  /** Where the object is; empty for the top. */
  readonly path: string
  readonly doc: string
  readonly rows: readonly DocRow[]
}

/**
 * One table for the schema and one for each object in it, in the order in which they are met. A
 * schema that is used in several places gets one table, at the first of them.
 */
export function docTables(schema: Schema<unknown>): readonly DocTable[] {
  const collector = new Collector()
  collector.visit('', nodeOf(schema))
  return collector.tables
}

type Fields = ReadonlyMap<string, SchemaNode>

class Collector {
  readonly tables: DocTable[] = []
  readonly #pathByFields = new Map<Fields, string>()

  /** Path of the table for the objects in `node`, null when there are none. */
  visit(path: string, node: SchemaNode): string | null {
    if (node.type === 'list') return this.visit(`${path}[]`, node.item)
    if (node.type === 'map') return this.visit(path === '' ? '*' : `${path}.*`, node.value)
    return node.type === 'leaf' ? null : this.#table(path, node)
  }

  #table(path: string, node: ObjectNode | UnionNode): string {
    const fields = node.type === 'object' ? node.fields : node.head
    const known = this.#pathByFields.get(fields)
    if (known !== undefined) return known
    this.#pathByFields.set(fields, path)
    // The place is taken before the tables of its fields take theirs.
    const index = this.tables.push({ path, doc: node.doc, rows: [] }) - 1
    const rows = [...fields].map(([field, each]) => this.#row(path, field, each))
    this.tables[index] = { path, doc: docOf(node), rows }
    return path
  }

  #row(parent: string, field: string, node: SchemaNode): DocRow {
    const path = parent === '' ? field : `${parent}.${field}`
    return {
      path,
      field,
      type: node.label,
      table: this.visit(path, node),
      required: node.presence.type === 'required',
      default: node.presence.type === 'default' ? written(node.presence.input) : null,
      doc: node.doc,
      constraints: constraintsOf(node).join('; '),
    }
  }
}

function docOf(node: ObjectNode | UnionNode): string {
  if (node.type === 'object') return node.doc
  return `${node.doc} The other fields are those of the ${node.tag}.`.trim()
}

function constraintsOf(node: SchemaNode): readonly string[] {
  if (node.type === 'list') return [...node.constraints, ...each('each', node.item)]
  if (node.type !== 'map') return node.constraints
  return [...node.constraints, ...each('keys', node.key), ...each('values', node.value)]
}

function each(which: string, node: SchemaNode): readonly string[] {
  const constraints = constraintsOf(node)
  return constraints.length === 0 ? [] : [`${which}: ${constraints.join(', ')}`]
}

function written(input: unknown): string {
  return typeof input === 'string' && input !== '' ? input : JSON.stringify(input)
}

/**
 * Markdown: a heading for each table but the first, then the table. `level`: of those headings, 3
 * unless said otherwise.
 */
export function renderTables(tables: readonly DocTable[], level = 3): string {
  return tables
    .map((table) => {
      const heading = table.path === '' ? [] : [`${'#'.repeat(level)} \`${table.path}\``]
      const doc = table.doc === '' ? [] : [table.doc]
      return [...heading, ...doc, renderRows(table.rows)].join('\n\n')
    })
    .join('\n\n')
}

function renderRows(rows: readonly DocRow[]): string {
  if (rows.length === 0) return 'No fields.'
  const lines = rows.map((row) =>
    renderCells([
      `\`${row.field}\``,
      row.table === null ? row.type : `[${row.type}](#${anchorOf(row.table)})`,
      row.required ? 'yes' : 'no',
      row.default === null ? '' : `\`${row.default}\``,
      row.constraints,
      row.doc,
    ]),
  )
  const head = ['Field', 'Type', 'Required', 'Default', 'Constraints', 'Meaning']
  return [renderCells(head), renderCells(head.map(() => '---')), ...lines].join('\n')
}

function renderCells(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replace(/\|/g, '\\|').replace(/\s*\n\s*/g, ' ')).join(' | ')} |`
}

/** What GitHub makes of a heading. */
function anchorOf(path: string): string {
  return path.toLowerCase().replace(/[^a-z0-9_-]/g, '')
}
