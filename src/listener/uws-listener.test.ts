import { connect } from 'node:net'
import { listenerContract } from './listener-contract.fixture.js'
import { UwsListener } from './uws-listener.js'

listenerContract({
  isTls: false,
  open: (gate, log) => UwsListener.open({ host: '127.0.0.1', port: 0 }, gate, log),
  connect: (port) => connect(port, '127.0.0.1'),
})
