/* Filled in by the next commits. */
"use strict";
