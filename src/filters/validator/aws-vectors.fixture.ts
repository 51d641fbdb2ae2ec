/**
 * Requests of AWS's test suite for Signature Version 4, and the signatures that it says they have:
 * all that can arrive as HTTP/1.1 at all and whose path is signed as it is written. Left out are
 * folded fields, raw blanks and raw UTF-8 in paths, and paths that AWS normalises.
 */
export interface AwsVector {
  readonly name: string
  readonly mode: 'header' | 'query'
  readonly method: string
  readonly path: string
  /** Without the parameters of the signature. */
  readonly query: string
  /** Beside host and x-amz-date. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly signedHeaders: string
  readonly signature: string
  readonly body: string
}

/** What all of them share. */
export const AWS = {
  accessKeyId: 'AKIDEXAMPLE',
  secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  host: 'example.amazonaws.com',
  timestamp: '20150830T123600Z',
  credential: 'AKIDEXAMPLE/20150830/us-east-1/service/aws4_request',
  expires: '3600',
} as const

type Row = [
  name: string,
  mode: 'header' | 'query',
  request: string,
  headers: readonly (readonly [name: string, value: string])[],
  signedHeaders: string,
  signature: string,
]

const STS_TOKEN =
  'AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=='

const UNRESERVED = '-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

const ROWS: readonly Row[] = [
  [
    'get-header-key-duplicate',
    'header',
    'GET /',
    [
      ['my-header1', 'value2'],
      ['my-header1', 'value2'],
      ['my-header1', 'value1'],
    ],
    'host;my-header1;x-amz-date',
    'c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea',
  ],
  [
    'get-header-key-duplicate',
    'query',
    'GET /',
    [
      ['my-header1', 'value2'],
      ['my-header1', 'value2'],
      ['my-header1', 'value1'],
    ],
    'host;my-header1',
    '3349ee0b81b4b589da0ff28a395c3591e04de515651dd74f298fa992d1507a97',
  ],
  [
    'get-header-value-order',
    'header',
    'GET /',
    [
      ['my-header1', 'value4'],
      ['my-header1', 'value1'],
      ['my-header1', 'value3'],
      ['my-header1', 'value2'],
    ],
    'host;my-header1;x-amz-date',
    '08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01',
  ],
  [
    'get-header-value-order',
    'query',
    'GET /',
    [
      ['my-header1', 'value4'],
      ['my-header1', 'value1'],
      ['my-header1', 'value3'],
      ['my-header1', 'value2'],
    ],
    'host;my-header1',
    '313720e71ca6202fdcfa9b20f88de01a4eb0638a83c833b1c184359a4eda864e',
  ],
  [
    'get-header-value-trim',
    'header',
    'GET /',
    [
      ['my-header1', 'value1'],
      ['my-header2', '"a   b   c"'],
    ],
    'host;my-header1;my-header2;x-amz-date',
    'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
  ],
  [
    'get-header-value-trim',
    'query',
    'GET /',
    [
      ['my-header1', 'value1'],
      ['my-header2', '"a   b   c"'],
    ],
    'host;my-header1;my-header2',
    'e7bb0fd515e125e1aec2ecc4c0c17484fb06f6846b927c35e46005dd3df3acd4',
  ],
  [
    'get-relative-relative-unnormalized',
    'header',
    'GET /example1/example2/../..',
    [],
    'host;x-amz-date',
    'dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b',
  ],
  [
    'get-relative-relative-unnormalized',
    'query',
    'GET /example1/example2/../..',
    [],
    'host',
    'b45db0bfd1cf15003493b733e33aa208dd981bd0e63037a6ed953f71d2118a16',
  ],
  [
    'get-relative-unnormalized',
    'header',
    'GET /example/..',
    [],
    'host;x-amz-date',
    'eca7ead57bb5aa5c8e28007acd4ff04e1ff9a0ff3b237ec1554a184887ff9282',
  ],
  [
    'get-relative-unnormalized',
    'query',
    'GET /example/..',
    [],
    'host',
    'cbcb213b928a077e43275df47b500f1dfaa864ab3f5a18f6b95f4ff0938167ee',
  ],
  [
    'get-slash-dot-slash-unnormalized',
    'header',
    'GET /./',
    [],
    'host;x-amz-date',
    '68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145',
  ],
  [
    'get-slash-dot-slash-unnormalized',
    'query',
    'GET /./',
    [],
    'host',
    'a9b13e8f3484d9505bf1a6f347219f8f35b0fe8f128ceea597efc146a3dfe90c',
  ],
  [
    'get-slash-pointless-dot-unnormalized',
    'header',
    'GET /./example',
    [],
    'host;x-amz-date',
    'beb03f223f7deae4146464f06e29eebbee9c8afbe15c290cf07aa8b119e14cff',
  ],
  [
    'get-slash-pointless-dot-unnormalized',
    'query',
    'GET /./example',
    [],
    'host',
    '72b11f16d9530b18204bfb71f2d6ab085894c0ed8d352730a6e76234c58b5e10',
  ],
  [
    'get-slash-unnormalized',
    'header',
    'GET //',
    [],
    'host;x-amz-date',
    'c88bcd3d312d75078c0cd961d6deae3f4c754924b01669efcfcb439fd5e5b76e',
  ],
  [
    'get-slash-unnormalized',
    'query',
    'GET //',
    [],
    'host',
    'b2a9542809db687769200f56a844a03f2bd0291d6eb90232d5101c6a579446cd',
  ],
  [
    'get-slashes-unnormalized',
    'header',
    'GET //example//',
    [],
    'host;x-amz-date',
    '87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5',
  ],
  [
    'get-slashes-unnormalized',
    'query',
    'GET //example//',
    [],
    'host',
    '822a5a9ba28072c5ab2bb4a6307d0c88276d40e49fec6b724c03fb4d4ba60fc2',
  ],
  [
    'get-unreserved',
    'header',
    `GET /${UNRESERVED}`,
    [],
    'host;x-amz-date',
    '07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f',
  ],
  [
    'get-unreserved',
    'query',
    `GET /${UNRESERVED}`,
    [],
    'host',
    '95968482db1b9e0fadef6efc1bd24689f77c77d9ef56919c96a28cc92e0d6005',
  ],
  [
    'get-vanilla',
    'header',
    'GET /',
    [],
    'host;x-amz-date',
    '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  ],
  [
    'get-vanilla',
    'query',
    'GET /',
    [],
    'host',
    'e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d',
  ],
  [
    'get-vanilla-empty-query-key',
    'header',
    'GET /?Param1=value1',
    [],
    'host;x-amz-date',
    'a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb',
  ],
  [
    'get-vanilla-empty-query-key',
    'query',
    'GET /?Param1=value1',
    [],
    'host',
    '49096700cbbaa5753443850f40df10f904fc2fdb544dc9512203cc77c471a9de',
  ],
  [
    'get-vanilla-query',
    'header',
    'GET /',
    [],
    'host;x-amz-date',
    '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  ],
  [
    'get-vanilla-query',
    'query',
    'GET /',
    [],
    'host',
    'e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d',
  ],
  [
    'get-vanilla-query-order-encoded',
    'header',
    'GET /?Param-3=Value3&Param=Value2&%E1%88%B4=Value1',
    [],
    'host;x-amz-date',
    '371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac',
  ],
  [
    'get-vanilla-query-order-encoded',
    'query',
    'GET /?Param-3=Value3&Param=Value2&%E1%88%B4=Value1',
    [],
    'host',
    'c5f1848ceec943ac2ca68ee720460c23aaae30a2300586597ada94c4a65e4787',
  ],
  [
    'get-vanilla-query-order-key-case',
    'header',
    'GET /?Param2=value2&Param1=value1',
    [],
    'host;x-amz-date',
    'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  ],
  [
    'get-vanilla-query-order-key-case',
    'query',
    'GET /?Param2=value2&Param1=value1',
    [],
    'host',
    '86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5',
  ],
  [
    'get-vanilla-query-unreserved',
    'header',
    `GET /?${UNRESERVED}=${UNRESERVED}`,
    [],
    'host;x-amz-date',
    '9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197',
  ],
  [
    'get-vanilla-query-unreserved',
    'query',
    `GET /?${UNRESERVED}=${UNRESERVED}`,
    [],
    'host',
    '8e76a88a7433637b12778d5592799b29ad21ecd6cf6325051c21d86f0acda2bf',
  ],
  [
    'get-vanilla-utf8-query',
    'header',
    'GET /?%E1%88%B4=bar',
    [],
    'host;x-amz-date',
    '2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04',
  ],
  [
    'get-vanilla-utf8-query',
    'query',
    'GET /?%E1%88%B4=bar',
    [],
    'host',
    '0bdd809b1519ac4f0c1dc3540e2cc46bd0c7f778eda408b2ebf3b913d21ff600',
  ],
  [
    'get-vanilla-with-session-token',
    'header',
    'GET /',
    [['x-amz-security-token', '6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267']],
    'host;x-amz-date;x-amz-security-token',
    '07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8',
  ],
  [
    'get-vanilla-with-session-token',
    'query',
    'GET /?X-Amz-Security-Token=6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267',
    [],
    'host',
    '7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c',
  ],
  [
    'post-header-key-case',
    'header',
    'POST /',
    [],
    'host;x-amz-date',
    '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  ],
  [
    'post-header-key-case',
    'query',
    'POST /',
    [],
    'host',
    '2ce6e6d2e0cf2f9d1b55fafec88cd20574c31dc2e7631979f71ba2310083e95b',
  ],
  [
    'post-header-key-sort',
    'header',
    'POST /',
    [['my-header1', 'value1']],
    'host;my-header1;x-amz-date',
    'c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c',
  ],
  [
    'post-header-key-sort',
    'query',
    'POST /',
    [['my-header1', 'value1']],
    'host;my-header1',
    'c09d07e0d55871f10f2a6d350d994acf6825a3cae70673d7def55616e6119dd7',
  ],
  [
    'post-header-value-case',
    'header',
    'POST /',
    [['my-header1', 'VALUE1']],
    'host;my-header1;x-amz-date',
    'cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d',
  ],
  [
    'post-header-value-case',
    'query',
    'POST /',
    [['my-header1', 'VALUE1']],
    'host;my-header1',
    '0698bc9e4f7f9139065ba2909c0e99da257e8e2a42492a097bcd46d792391fed',
  ],
  [
    'post-sts-header-after',
    'header',
    'POST /',
    [['x-amz-security-token', STS_TOKEN]],
    'host;x-amz-date',
    '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  ],
  [
    'post-sts-header-before',
    'header',
    'POST /',
    [['x-amz-security-token', STS_TOKEN]],
    'host;x-amz-date;x-amz-security-token',
    '85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead',
  ],
  [
    'post-sts-header-before',
    'query',
    `POST /?X-Amz-Security-Token=${encodeURIComponent(STS_TOKEN)}`,
    [],
    'host',
    '46c2e3c63c1dbe7d39f8ada16fe7f001c1f56c5791441565323677f96308871c',
  ],
  [
    'post-vanilla',
    'header',
    'POST /',
    [],
    'host;x-amz-date',
    '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  ],
  [
    'post-vanilla',
    'query',
    'POST /',
    [],
    'host',
    '2ce6e6d2e0cf2f9d1b55fafec88cd20574c31dc2e7631979f71ba2310083e95b',
  ],
  [
    'post-vanilla-empty-query-value',
    'header',
    'POST /?Param1=value1',
    [],
    'host;x-amz-date',
    '28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11',
  ],
  [
    'post-vanilla-empty-query-value',
    'query',
    'POST /?Param1=value1',
    [],
    'host',
    'a9ef26247f293bffe40eeff86a0480ba8c14d31503b2e0c3399e3a16bf1a3682',
  ],
  [
    'post-vanilla-query',
    'header',
    'POST /?Param1=value1',
    [],
    'host;x-amz-date',
    '28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11',
  ],
  [
    'post-vanilla-query',
    'query',
    'POST /?Param1=value1',
    [],
    'host',
    'a9ef26247f293bffe40eeff86a0480ba8c14d31503b2e0c3399e3a16bf1a3682',
  ],
  [
    'post-x-www-form-urlencoded',
    'header',
    'POST /',
    [
      ['content-type', 'application/x-www-form-urlencoded'],
      ['content-length', '13'],
      ['x-amz-content-sha256', '9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e'],
    ],
    'content-length;content-type;host;x-amz-content-sha256;x-amz-date',
    'd3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b',
  ],
  [
    'post-x-www-form-urlencoded',
    'query',
    'POST /',
    [
      ['content-type', 'application/x-www-form-urlencoded'],
      ['content-length', '13'],
    ],
    'content-length;content-type;host',
    '89a40deed0f26f9461242825a082d2222717248abc7ab41f552ad84a94ad46e9',
  ],
  [
    'post-x-www-form-urlencoded-parameters',
    'header',
    'POST /',
    [
      ['content-type', 'application/x-www-form-urlencoded; charset=utf-8'],
      ['content-length', '13'],
      ['x-amz-content-sha256', '9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e'],
    ],
    'content-length;content-type;host;x-amz-content-sha256;x-amz-date',
    '328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422',
  ],
  [
    'post-x-www-form-urlencoded-parameters',
    'query',
    'POST /',
    [
      ['content-type', 'application/x-www-form-urlencoded; charset=utf-8'],
      ['content-length', '13'],
    ],
    'content-length;content-type;host',
    '0dbeb9b026c7b6675f266b8427efec9b4fa8b1f6ef1477d717aea231106eab4d',
  ],
]

export const AWS_VECTORS: readonly AwsVector[] = ROWS.map(
  ([name, mode, request, headers, signedHeaders, signature]) => {
    const [method = '', target = ''] = request.split(' ')
    const [path = '', query = ''] = target.split('?')
    const body = name.includes('x-www-form-urlencoded') ? 'Param1=value1' : ''
    return { name, mode, method, path, query, headers, signedHeaders, signature, body }
  },
)
