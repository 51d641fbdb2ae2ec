import { boolean, ipCidr, list, object } from '../../spec/schema.js'

/** Fields that both dialects have. */

export const rootedPath = { pattern: /^\//, expected: 'a path that starts with "/"' }

export const ipFilter = (doc: string) =>
  object(
    {
      blockByDefault: boolean({
        doc: 'Verdict on addresses that neither list, or both, contain.',
        default: false,
      }),
      allowIPs: list(ipCidr({ doc: '' }), {
        doc: 'Addresses or CIDR blocks to let in.',
        unique: true,
        default: [],
      }),
      blockIPs: list(ipCidr({ doc: '' }), {
        doc: 'Addresses or CIDR blocks to keep out.',
        unique: true,
        default: [],
      }),
    },
    { doc, optional: true },
  )
