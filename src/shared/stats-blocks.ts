import { assert } from '../lib/assert.js'
import { addRow, mergeRows, StatsCells, type StatsSnapshot } from './stats.js'
import { CELLS_PER_ROW, COUNT, ROW_BYTES } from './stats-layout.js'

/**
 * 7.5 MiB a block, of which only what is written to takes memory. The allocator hands out large
 * pieces as fresh pages of the system; 15 KiB each would be cleared, and so touched, one by one
 * (measured: 256 MiB of them took 256 MiB, in pieces of 1 MiB 1.1 MiB).
 */
const ROWS_PER_BLOCK = 512
/** In front of the first row: the allocator's two words are there, and rows begin at cache lines. */
const CELLS_BEFORE = 6
const BLOCK_BYTES = CELLS_BEFORE * Float64Array.BYTES_PER_ELEMENT + ROWS_PER_BLOCK * ROW_BYTES

/** What a worker's rows have changed by; plain data and shared memory, sent as a message. */
export interface StatsNews {
  /** Blocks made since the last news, in order. */
  readonly blocks: readonly SharedArrayBuffer[]
  /** Rows handed out, by number: row `n` is row `n % 512` of block `n / 512`. */
  readonly opened: readonly { readonly key: string; readonly row: number }[]
  /** Rows that are not written any more; to be freed by {@link StatsBlocks.free} once read. */
  readonly closed: readonly { readonly key: string; readonly row: number }[]
}

/** The rows that one worker writes. A key may stand for a server, a pool, a path. */
export class StatsBlocks {
  readonly #blocks: SharedArrayBuffer[] = []
  /** All of each block. */
  readonly #views: Float64Array[] = []
  readonly #rows = new Map<
    string,
    { readonly row: number; readonly cells: StatsCells; uses: number }
  >()
  readonly #free: number[] = []
  #blocksToldOf = 0
  #opened: { key: string; row: number }[] = []
  #closed: { key: string; row: number }[] = []

  /** The row of `key`, made on first use. Each call counts as one use until `close`. */
  open(key: string): StatsCells {
    let entry = this.#rows.get(key)
    if (entry === undefined) {
      const row = this.#take()
      const view = this.#views[Math.floor(row / ROWS_PER_BLOCK)] as Float64Array
      entry = { row, cells: new StatsCells(view, baseOf(row)), uses: 0 }
      this.#rows.set(key, entry)
      this.#opened.push({ key, row })
    }
    entry.uses += 1
    return entry.cells
  }

  /** The row of `key`, which must be open. */
  find(key: string): StatsCells {
    const entry = this.#rows.get(key)
    assert(entry !== undefined, `statistics row is not open: ${key}`)
    return entry.cells
  }

  /** One use of `key` is over; with the last one its row is closed. */
  close(key: string): void {
    const entry = this.#rows.get(key)
    assert(entry !== undefined, `statistics row is not open: ${key}`)
    entry.uses -= 1
    if (entry.uses > 0) return
    this.#rows.delete(key)
    entry.cells.detach()
    this.#closed.push({ key, row: entry.row })
  }

  /** What the reader does not know yet, or null. */
  takeNews(): StatsNews | null {
    const blocks = this.#blocks.slice(this.#blocksToldOf)
    if (blocks.length + this.#opened.length + this.#closed.length === 0) return null
    const news = { blocks, opened: this.#opened, closed: this.#closed }
    this.#blocksToldOf = this.#blocks.length
    this.#opened = []
    this.#closed = []
    return news
  }

  /** The reader is done with closed `rows`: they may be used again. */
  free(rows: readonly number[]): void {
    for (const row of rows) {
      rowCells(this.#blocks, row).fill(0)
      this.#free.push(row)
    }
  }

  #take(): number {
    const free = this.#free.pop()
    if (free !== undefined) return free
    const first = this.#blocks.length * ROWS_PER_BLOCK
    const block = new SharedArrayBuffer(BLOCK_BYTES)
    this.#blocks.push(block)
    this.#views.push(new Float64Array(block))
    for (let row = first + ROWS_PER_BLOCK - 1; row > first; row--) this.#free.push(row)
    return first
  }
}

interface WorkerRows {
  readonly blocks: SharedArrayBuffer[]
  readonly rows: Map<string, Float64Array>
}

/**
 * All workers' rows as the thread that reports them sees them. What an ended worker or a closed row
 * counted is kept until the key is {@link forget forgotten}, so counts never go back.
 */
export class StatsReader {
  readonly #workers = new Map<number, WorkerRows>()
  readonly #past = new Map<string, Float64Array>()

  /** Takes a worker's news, in the order they were sent. Returns the rows to free there. */
  apply(worker: number, news: StatsNews): number[] {
    let known = this.#workers.get(worker)
    if (known === undefined) {
      known = { blocks: [], rows: new Map() }
      this.#workers.set(worker, known)
    }
    known.blocks.push(...news.blocks)
    // A row can be opened and closed within one news, or closed and its key opened anew: what was
    // opened is looked up by number, and a key's newest row is the one that stays.
    for (const { key, row } of news.closed) {
      this.#keep(key, rowCells(known.blocks, row))
      known.rows.delete(key)
    }
    const closed = new Set(news.closed.map(({ row }) => row))
    for (const { key, row } of news.opened) {
      if (!closed.has(row)) known.rows.set(key, rowCells(known.blocks, row))
    }
    return [...closed]
  }

  /** `worker` has ended; what it counted stays. */
  workerGone(worker: number): void {
    const known = this.#workers.get(worker)
    this.#workers.delete(worker)
    for (const [key, cells] of known?.rows ?? []) this.#keep(key, cells)
  }

  /** What `key` did on all workers so far. */
  read(key: string): StatsSnapshot {
    const rows: Float64Array[] = []
    const past = this.#past.get(key)
    if (past !== undefined) rows.push(past)
    for (const { rows: live } of this.#workers.values()) {
      const cells = live.get(key)
      if (cells !== undefined) rows.push(cells)
    }
    return mergeRows(rows)
  }

  /** The thing behind `key` is gone: a later one of that name starts from zero. */
  forget(key: string): void {
    this.#past.delete(key)
  }

  /** Keys that have a past only: no worker writes them now. */
  unwritten(): string[] {
    return [...this.#past.keys()].filter((key) => {
      for (const { rows } of this.#workers.values()) if (rows.has(key)) return false
      return true
    })
  }

  /** Keys with a live row or a past. */
  keys(): Set<string> {
    const keys = new Set(this.#past.keys())
    for (const { rows } of this.#workers.values()) for (const key of rows.keys()) keys.add(key)
    return keys
  }

  #keep(key: string, cells: Float64Array): void {
    if (cells[COUNT] === 0) return
    let past = this.#past.get(key)
    if (past === undefined) {
      past = new Float64Array(CELLS_PER_ROW)
      this.#past.set(key, past)
    }
    addRow(past, cells)
  }
}

function rowCells(blocks: readonly SharedArrayBuffer[], row: number): Float64Array {
  const block = blocks[Math.floor(row / ROWS_PER_BLOCK)]
  assert(block !== undefined, `statistics row ${row} lies in a block that was never handed over`)
  return new Float64Array(block, baseOf(row) * Float64Array.BYTES_PER_ELEMENT, CELLS_PER_ROW)
}

/** Index of the row's first cell in its block. */
const baseOf = (row: number): number => CELLS_BEFORE + (row % ROWS_PER_BLOCK) * CELLS_PER_ROW
