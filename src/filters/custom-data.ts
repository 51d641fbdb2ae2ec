/** Prefix of keys of custom data, as the store has it below its own: `/users/` is `users/`. */
export const prefixOf = (etcdPrefix: string): string => etcdPrefix.replace(/^\/+/, '')
