import { createHmac } from 'node:crypto'
import { expect, it } from 'vitest'
import { jwtSignatureVerifier } from './jwt-key.js'
import { Prng } from './prng.js'

it.each(['HS256', 'HS384', 'HS512'] as const)('%s is what createHmac makes', (algorithm) => {
  const prng = new Prng(0x5ec2e7)
  const bytes = (count: number): Buffer =>
    Buffer.from(Array.from({ length: count }, () => prng.below(256)))
  for (let round = 0; round < 300; round++) {
    // Shorter than a block of the hash, a block, and longer, when the key itself is hashed first.
    const secret = bytes(1 + prng.below(round < 150 ? 130 : 300))
    const verifier = jwtSignatureVerifier({
      algorithm,
      secret: secret.toString('hex'),
      publicKey: '',
    })
    for (const length of [0, prng.below(200), prng.below(8_000), prng.below(100)]) {
      const input = bytes(length).toString('latin1')
      const mac = createHmac(`sha${algorithm.slice(2)}`, secret)
        .update(input, 'latin1')
        .digest()
      const text = mac.toString('base64url')
      const wrong = Buffer.from(mac)
      const at = prng.below(mac.byteLength)
      wrong[at] = (wrong[at] as number) ^ (1 << prng.below(8))
      const verdicts = [
        verifier.verify(input, mac),
        verifier.verify(input, text),
        verifier.verify(input, wrong),
        verifier.verify(input, wrong.toString('base64url')),
        verifier.verify(input, text.slice(1)),
        verifier.verify(input, `${text}=`),
        verifier.verify(input, ''),
        verifier.verify(`${input}x`, text),
      ]
      expect(verdicts, `round ${round}, ${secret.byteLength} and ${length} bytes`).toEqual([
        true,
        true,
        ...new Array(6).fill(false),
      ])
    }
  }
})
