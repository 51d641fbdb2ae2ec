import { connect } from 'node:tls'
import { CA, LOCAL } from '../lib/certificates.fixture.js'
import { listenerContract } from './listener-contract.fixture.js'
import { UwsListener } from './uws-listener.js'

const tls = { pairs: [{ ...LOCAL, names: ['localhost'] }], clientCa: '', fingerprint: '' }

listenerContract({
  isTls: true,
  open: (gate, log) => UwsListener.open({ host: '127.0.0.1', port: 0 }, gate, log, { tls }),
  connect: (port) => connect({ port, host: '127.0.0.1', ca: CA, servername: 'localhost' }),
})
