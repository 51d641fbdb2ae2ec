import { getObject, listObjects } from './objects.js'
import { getObjectStatus, listApis, listMembers, listObjectStatus } from './reads.js'
import type { Api } from './routes.js'
import { sharedRoutes } from './routes-shared.js'
import { YAML_TYPE } from './yaml.js'

/** The API of Easegress 1.0: YAML. */
export const V1: Api = {
  prefix: '/apis/v1',
  dialect: 'v1',
  yamlType: YAML_TYPE,
  isJson: false,
  routes: [
    { method: 'GET', path: '', handle: listApis },
    ...sharedRoutes('httppipeline'),
    { method: 'GET', path: '/status/members', handle: listMembers },
    { method: 'GET', path: '/objects', handle: listObjects },
    { method: 'GET', path: '/objects/{name}', handle: getObject },
    { method: 'GET', path: '/status/objects', handle: listObjectStatus },
    { method: 'GET', path: '/status/objects/{name}', handle: getObjectStatus },
  ],
}
