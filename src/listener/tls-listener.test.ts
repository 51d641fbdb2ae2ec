import { connect } from 'node:tls'
import { CA, LOCAL } from '../lib/certificates.fixture.js'
import type { TlsIdentity } from './contract.js'
import { listenerContract } from './listener-contract.fixture.js'
import { UwsListener } from './uws-listener.js'

const local: TlsIdentity = {
  pairs: [{ ...LOCAL, names: ['localhost'] }],
  clientCa: '',
  fingerprint: 'local',
}

listenerContract({
  isTls: true,
  open: (gate, log) => UwsListener.open({ host: '127.0.0.1', port: 0 }, gate, log, { tls: local }),
  connect: (port) => connect({ port, host: '127.0.0.1', ca: CA, servername: 'localhost' }),
})
