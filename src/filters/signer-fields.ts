import { list, object, string } from '../spec/schema.js'

/** Fields of those who sign requests and of those who check signatures (compat §6.14, v2 §9.1.3). */

const token = { pattern: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, expected: 'a word as in header names' }
/** Names of headers. */
export const headerNameList = (doc: string) =>
  list(string({ doc: '', ...token }), { doc, unique: true, default: [] })

export interface SigningWords {
  readonly scopeSuffix: string
  readonly algorithmName: string
  readonly algorithmValue: string
  readonly signedHeaders: string
  readonly signature: string
  readonly date: string
  readonly expires: string
  readonly credential: string
  readonly contentSha256: string
  readonly signingKeyPrefix: string
}

export const WORDS_V1: SigningWords = {
  scopeSuffix: 'megaease_request',
  algorithmName: 'X-Me-Algorithm',
  algorithmValue: 'ME-HMAC-SHA256',
  signedHeaders: 'X-Me-SignedHeaders',
  signature: 'X-Me-Signature',
  date: 'X-Me-Date',
  expires: 'X-Me-Expires',
  credential: 'X-Me-Credential',
  contentSha256: 'X-Me-Content-Sha256',
  signingKeyPrefix: 'ME',
}

export const WORDS_V2: SigningWords = {
  scopeSuffix: 'request',
  algorithmName: 'X-Algorithm',
  algorithmValue: 'HMAC-SHA256',
  signedHeaders: 'X-SignedHeaders',
  signature: 'X-Signature',
  date: 'X-Date',
  expires: 'X-Expires',
  credential: 'X-Credential',
  contentSha256: 'X-Content-Sha256',
  signingKeyPrefix: '',
}

export const WORDS_AWS4: SigningWords = {
  scopeSuffix: 'aws4_request',
  algorithmName: 'X-Amz-Algorithm',
  algorithmValue: 'AWS4-HMAC-SHA256',
  signedHeaders: 'X-Amz-SignedHeaders',
  signature: 'X-Amz-Signature',
  date: 'X-Amz-Date',
  expires: 'X-Amz-Expires',
  credential: 'X-Amz-Credential',
  contentSha256: 'X-Amz-Content-Sha256',
  signingKeyPrefix: 'AWS4',
}

/** `words`: those of the dialect. */
export const signingLiteral = (words: SigningWords) =>
  object(
    {
      scopeSuffix: string({
        doc: 'Last part of a scope; AWS: `aws4_request`.',
        ...token,
        default: words.scopeSuffix,
      }),
      algorithmName: string({
        doc: 'Query parameter; AWS: `X-Amz-Algorithm`.',
        ...token,
        default: words.algorithmName,
      }),
      algorithmValue: string({
        doc: 'What it says, and how `Authorization` begins; AWS: `AWS4-HMAC-SHA256`.',
        ...token,
        default: words.algorithmValue,
      }),
      signedHeaders: string({
        doc: 'Query parameter; AWS: `X-Amz-SignedHeaders`.',
        ...token,
        default: words.signedHeaders,
      }),
      signature: string({
        doc: 'Query parameter; AWS: `X-Amz-Signature`.',
        ...token,
        default: words.signature,
      }),
      date: string({
        doc: 'Header or query parameter; AWS: `X-Amz-Date`.',
        ...token,
        default: words.date,
      }),
      expires: string({
        doc: 'Query parameter; AWS: `X-Amz-Expires`.',
        ...token,
        default: words.expires,
      }),
      credential: string({
        doc: 'Query parameter; AWS: `X-Amz-Credential`.',
        ...token,
        default: words.credential,
      }),
      contentSha256: string({
        doc: 'Header that signers may set; never trusted here. AWS: `X-Amz-Content-Sha256`.',
        ...token,
        default: words.contentSha256,
      }),
      signingKeyPrefix: string({
        doc: 'In front of secrets; AWS: `AWS4`.',
        default: words.signingKeyPrefix,
      }),
    },
    { doc: 'Words of the signing scheme; those of AWS make it Signature Version 4.', default: {} },
  )

export const headerHoisting = object(
  {
    allowedPrefix: headerNameList('Beginnings of names to move.'),
    disallowedPrefix: headerNameList('Beginnings of names not to move.'),
    disallowed: headerNameList('Names not to move.'),
  },
  { doc: 'For those who sign: headers to move into the query. Not used here.', optional: true },
)
