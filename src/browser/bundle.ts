import { join } from 'node:path'
import { writeModules } from './modules.js'

/** The build's last step, into the same folder: the browser's modules, beside the declarations that are there. */
console.log(writeModules(join(process.argv[2]!, 'browser')))
