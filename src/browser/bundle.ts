import { fileURLToPath } from 'node:url'
import { writeModules } from './modules.js'

/** The build's last step: the browser's modules, beside the declarations that `tsc -p src/browser` has written. */
console.log(writeModules(fileURLToPath(new URL('../../dist/browser/', import.meta.url))))
