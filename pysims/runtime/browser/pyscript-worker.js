/* PyScript's worker: the entry of the text that pyscript.js starts as a worker.
 *
 * Order matters: the prelude prepares the scope that PyScript's template then looks at.
 */

import "./worker-prelude.js";
import "polyscript-worker-template";
