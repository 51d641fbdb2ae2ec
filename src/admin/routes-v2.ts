import {
  changeDataItems,
  createDataItem,
  createDataKind,
  deleteDataItem,
  deleteDataItems,
  deleteDataKind,
  deleteDataKinds,
  getDataItem,
  getDataKind,
  listDataItems,
  listDataKinds,
  updateDataItem,
  updateDataKind,
} from './custom-data.js'
import { explainRequest } from './explain.js'
import { getLogLevel, readLogs, setLogLevel } from './logs.js'
import { listMembersV2 } from './members-v2.js'
import { readMetrics } from './metrics.js'
import {
  deleteAllObjects,
  getObjectV2,
  listApiResources,
  listObjectsV2,
  objectDescription,
  objectSchema,
  objectTemplate,
} from './objects-v2.js'
import { getProfile, startCpuProfile, startMemoryProfile, stopProfiles } from './profile.js'
import { listApiGroups } from './reads.js'
import type { Api } from './routes.js'
import { ABOUT_NODE, CHANGE, CREATE, filterRoutes, PURGE_AND_KINDS } from './routes-shared.js'
import { getStatusV2, listStatusV2 } from './status-v2.js'
import { YAML_TYPE_V2 } from './yaml.js'

/** The API of current releases of Easegress: JSON. */
export const V2: Api = {
  prefix: '/apis/v2',
  dialect: 'v2',
  yamlType: YAML_TYPE_V2,
  isJson: true,
  routes: [
    { method: 'GET', path: '', handle: listApiGroups },
    ...ABOUT_NODE,
    { method: 'GET', path: '/status/members', handle: listMembersV2 },
    ...PURGE_AND_KINDS,
    { method: 'GET', path: '/object-api-resources', handle: listApiResources },
    CREATE,
    { method: 'GET', path: '/objects', handle: listObjectsV2 },
    { method: 'DELETE', path: '/objects', handle: deleteAllObjects },
    { method: 'GET', path: '/objects/{name}', handle: getObjectV2 },
    ...CHANGE,
    { method: 'GET', path: '/objects-yaml/{kind}/{name}', handle: objectTemplate },
    { method: 'GET', path: '/customdatakinds', handle: listDataKinds },
    { method: 'POST', path: '/customdatakinds', handle: createDataKind },
    { method: 'PUT', path: '/customdatakinds', handle: updateDataKind },
    { method: 'DELETE', path: '/customdatakinds', handle: deleteDataKinds },
    { method: 'GET', path: '/customdatakinds/{name}', handle: getDataKind },
    { method: 'DELETE', path: '/customdatakinds/{name}', handle: deleteDataKind },
    { method: 'POST', path: '/customdata/{kind}/items', handle: changeDataItems },
    { method: 'DELETE', path: '/customdata/{kind}/items', handle: deleteDataItems },
    { method: 'GET', path: '/customdata/{kind}', handle: listDataItems },
    { method: 'POST', path: '/customdata/{kind}', handle: createDataItem },
    { method: 'PUT', path: '/customdata/{kind}', handle: updateDataItem },
    { method: 'GET', path: '/customdata/{kind}/{id}', handle: getDataItem },
    { method: 'DELETE', path: '/customdata/{kind}/{id}', handle: deleteDataItem },
    { method: 'GET', path: '/status/objects', handle: listStatusV2 },
    { method: 'GET', path: '/status/objects/{name}', handle: getStatusV2 },
    ...filterRoutes('pipeline'),
    { method: 'GET', path: '/metadata/objects/{kind}/description', handle: objectDescription },
    { method: 'GET', path: '/metadata/objects/{kind}/schema', handle: objectSchema },
    { method: 'POST', path: '/explain', handle: explainRequest },
    { method: 'GET', path: '/logs', handle: readLogs },
    { method: 'GET', path: '/logs/level', handle: getLogLevel },
    { method: 'PUT', path: '/logs/level/{level}', handle: setLogLevel },
    { method: 'GET', path: '/metrics', handle: readMetrics },
    { method: 'GET', path: '/profile', handle: getProfile },
    { method: 'POST', path: '/profile/start/cpu', handle: startCpuProfile },
    { method: 'POST', path: '/profile/start/memory', handle: startMemoryProfile },
    { method: 'POST', path: '/profile/stop', handle: stopProfiles },
  ],
}
