import type { Logger } from '../telemetry/log.js'
import { END, type Node, Pipeline, type Stage } from './pipeline.js'

/** What runs around pipelines: the parts of a GlobalFilter (compat/traffic-v2.md §5.3). */
export interface Surroundings {
  readonly before: Pipeline | null
  readonly after: Pipeline | null
  /** Whether the main pipeline runs although `before` ended early. */
  readonly mainAnyway: boolean
  /** Whether `after` runs although the stage that was run last ended early. */
  readonly afterAnyway: boolean
}

/**
 * One flow of up to three: a stage ends early by an END node, a jump to END or a result without a
 * jump; when the main one is skipped, `before` decides about `after`. All run on the same exchange;
 * the data that templates see are those of `main`. Nothing is compiled anew, so this is cheap.
 */
export function surround(main: Pipeline, around: Surroundings, log: Logger): Pipeline {
  const { before, after, mainAnyway, afterAnyway } = around
  const nodes: Node[] = []
  const from = (pipeline: Pipeline | null): number => {
    const at = nodes.length
    for (const node of pipeline?.nodes ?? []) nodes.push(shifted(node, at))
    return at
  }
  const froms = [from(before), from(main), from(after)] as const
  const afterAt = after === null || after.nodes.length === 0 ? END : froms[2]
  const mainAt = main.nodes.length === 0 ? afterAt : froms[1]
  const stages: Stage[] = []
  if (before !== null && before.nodes.length > 0) {
    stages.push({
      from: froms[0],
      onEnd: mainAt,
      onEarly: mainAnyway ? mainAt : afterAnyway ? afterAt : END,
      encloses: true,
    })
  }
  if (main.nodes.length > 0) {
    const onEarly = afterAnyway ? afterAt : END
    stages.push({ from: froms[1], onEnd: afterAt, onEarly, encloses: false })
  }
  if (afterAt !== END) {
    stages.push({ from: froms[2], onEnd: END, onEarly: END, encloses: false })
  }
  const start = before !== null && before.nodes.length > 0 ? froms[0] : mainAt
  return new Pipeline(main.name, nodes, log, {
    startsEmpty: main.startsEmpty,
    ...(main.data === null ? {} : { data: main.data }),
    ...(stages.length === 0 ? {} : { stages: { start, list: stages } }),
    filters: [],
    parts: [before, main, after].filter((part) => part !== null),
  })
}

/** With its jumps to other nodes `by` places later. */
function shifted(node: Node, by: number): Node {
  if (by === 0) return node
  return { ...node, jump: node.jump.map((target) => (target < 0 ? target : target + by)) }
}
