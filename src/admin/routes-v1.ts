import { createObject, deleteObject, getObject, listObjects, updateObject } from './objects.js'
import {
  about,
  filterDescription,
  filterResults,
  filterSchema,
  getObjectStatus,
  health,
  listApis,
  listFilterKinds,
  listMembers,
  listObjectKinds,
  listObjectStatus,
  purgeMember,
} from './reads.js'
import type { Api } from './routes.js'
import { YAML_TYPE } from './yaml.js'

const FILTERS = '/metadata/objects/httppipeline/filters'

/** The API of Easegress 1.0: YAML. */
export const V1: Api = {
  prefix: '/apis/v1',
  dialect: 'v1',
  yamlType: YAML_TYPE,
  isJson: false,
  routes: [
    { method: 'GET', path: '', handle: listApis },
    { method: 'GET', path: '/healthz', handle: health },
    { method: 'GET', path: '/about', handle: about },
    { method: 'GET', path: '/status/members', handle: listMembers },
    { method: 'DELETE', path: '/status/members/{member}', handle: purgeMember },
    { method: 'GET', path: '/object-kinds', handle: listObjectKinds },
    { method: 'POST', path: '/objects', handle: createObject },
    { method: 'GET', path: '/objects', handle: listObjects },
    { method: 'GET', path: '/objects/{name}', handle: getObject },
    { method: 'PUT', path: '/objects/{name}', handle: updateObject },
    { method: 'DELETE', path: '/objects/{name}', handle: deleteObject },
    { method: 'GET', path: '/status/objects', handle: listObjectStatus },
    { method: 'GET', path: '/status/objects/{name}', handle: getObjectStatus },
    { method: 'GET', path: FILTERS, handle: listFilterKinds },
    { method: 'GET', path: `${FILTERS}/{kind}/description`, handle: filterDescription },
    { method: 'GET', path: `${FILTERS}/{kind}/schema`, handle: filterSchema },
    { method: 'GET', path: `${FILTERS}/{kind}/results`, handle: filterResults },
  ],
}
