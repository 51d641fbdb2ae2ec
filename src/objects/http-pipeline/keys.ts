/** Key of shared memory that a filter of a pipeline uses; `key` is the filter kind's own. */
export function filterKey(pipeline: string, filter: string, key: string): string {
  return `pipeline/${pipeline}/${filter}/${key}`
}
