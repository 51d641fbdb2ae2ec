import { objectKinds } from '../kinds/registry.js'
import { type DecodedDocument, decodeDocument } from '../spec/document.js'

/** Text of one object at most; it is stored twice, beside its decoded form, in one transaction. */
export const OBJECT_BYTES_MAX = 2 * 1024 * 1024

export interface ValidateInput {
  readonly text: string
  readonly unknownFields: 'refuse' | 'warn'
}

/** A job: reads and checks one document. Pure; knows nothing of other objects. */
export function validate(input: ValidateInput): DecodedDocument {
  const { text, unknownFields } = input
  return decodeDocument(text, objectKinds, { unknownFields, bytesMax: OBJECT_BYTES_MAX })
}
