import { connect } from 'node:tls'
import { CA, CLIENT, LOCAL } from '../lib/certificates.fixture.js'
import { listenerContract } from './listener-contract.fixture.js'
import { TlsFront } from './tls-front.js'

const tls = { pairs: [{ ...LOCAL, names: ['localhost'] }], clientCa: CA, fingerprint: '' }

listenerContract({
  isTls: true,
  open: (gate, log) => TlsFront.open({ host: '127.0.0.1', port: 0 }, gate, log, tls),
  connect: (port) =>
    connect({ port, host: '127.0.0.1', ca: CA, servername: 'localhost', ...CLIENT }),
})
