/** Key of the statistics. */
export const ALL = 'all'
