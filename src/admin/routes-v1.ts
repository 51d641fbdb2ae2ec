import { getObject, listObjects } from './objects.js'
import { getObjectStatus, listApis, listMembers, listObjectStatus } from './reads.js'
import type { Api } from './routes.js'
import { ABOUT_NODE, CHANGE, CREATE, filterRoutes, PURGE_AND_KINDS } from './routes-shared.js'
import { YAML_TYPE } from './yaml.js'

/** The API of Easegress 1.0: YAML. */
export const V1: Api = {
  prefix: '/apis/v1',
  dialect: 'v1',
  yamlType: YAML_TYPE,
  isJson: false,
  routes: [
    { method: 'GET', path: '', handle: listApis },
    ...ABOUT_NODE,
    { method: 'GET', path: '/status/members', handle: listMembers },
    ...PURGE_AND_KINDS,
    CREATE,
    { method: 'GET', path: '/objects', handle: listObjects },
    { method: 'GET', path: '/objects/{name}', handle: getObject },
    ...CHANGE,
    { method: 'GET', path: '/status/objects', handle: listObjectStatus },
    { method: 'GET', path: '/status/objects/{name}', handle: getObjectStatus },
    ...filterRoutes('httppipeline'),
  ],
}
