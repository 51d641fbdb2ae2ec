/** Fields of a GlobalFilter that hold pipelines. */
export const PARTS = ['beforePipeline', 'afterPipeline'] as const
export type Part = (typeof PARTS)[number]

/** What a part is called in keys and logs. */
export const partName = (globalFilter: string, part: Part): string => `${globalFilter}/${part}`
