/* What can go wrong, each with a sentence for the reader and a short code for the caller. */

const SENTENCES = {
  "no-webassembly": () =>
    "This browser cannot run the simulation: WebAssembly is missing or switched off.",
  "no-worker": () => "This browser cannot run the simulation: it does not allow web workers.",
  "old-browser": (what) => `This browser is too old to run the simulation: it lacks ${what}.`,
  "file-missing": (file) => `A part of the simulation could not be found (${file}).`,
  "file-damaged": (file) =>
    `A part of the simulation arrived damaged, altered or incomplete, and was not run (${file}).`,
  network: (file) => `The connection broke off while a part of the simulation came in (${file}).`,
  stalled: () => "The download of the simulation stopped before it was complete.",
  "version-mismatch": () =>
    "The parts of the simulation do not fit each other. Reload the page to fetch them again.",
  "worker-failed": (why) => `The simulation could not start: ${why}`,
  "out-of-memory": () =>
    "The simulation ran out of memory. Other tabs and programs, closed, give some back.",
  "boot-timeout": () => "The simulation did not start in time.",
  "worker-died": (why) => `The simulation stopped unexpectedly: ${why}`,
  "call-failed": (why) => why,
  "call-timeout": () => "The simulation took too long to answer and was stopped.",
  terminated: () => "The simulation was stopped.",
};

/** An Error whose `message` is a sentence for the reader, and whose `code` names the case. */
export class Failure extends Error {
  constructor(code, detail, cause) {
    super(SENTENCES[code](detail), { cause });
    this.name = "SimulationFailure";
    this.code = code;
  }
}
