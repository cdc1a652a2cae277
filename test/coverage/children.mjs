/**
 * Loaded into every process that tap starts for a test, after tap's own recorder has started: what such a process starts in
 * turn records nothing. Those children run src through tsx, or the built program; tap would add up their offsets with those
 * of its own compiler, and call lines covered and uncovered that are neither.
 */
process.env._TAPJS_PROCESSINFO_COVERAGE_ = '0'
