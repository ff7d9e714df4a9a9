// Owns the walls that are about globals, waiting, types and sizes. The walls about imports are infra/house/rooms.cjs. Nothing here
// formats: prettier does. Every rule is an error; test/house plants a breach of each and asserts that it is found.
import tseslint from 'typescript-eslint'

const ban = (name, use) => ({ name, message: `Use ${use}.` })

const timeAndChance = [
  ...['Date', 'performance'].map((name) => ban(name, 'the Clock that is passed in')),
  ...['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval'].map((name) => ban(name, 'Clock.after')),
  ...['setImmediate', 'clearImmediate'].map((name) => ban(name, 'Clock.afterTurn')),
  ban('queueMicrotask', 'nothing: restructure, or Clock.afterTurn'),
  ban('crypto', 'the Prng or IdSource that is passed in'),
  ban('fetch', 'the ObjectStore, or a port'),
  ban('WebSocket', 'a port'),
  ban('WeakRef', 'an owner that closes it'),
  ban('FinalizationRegistry', 'an owner that closes it'),
  ...['globalThis', 'global', 'self'].map((name) => ban(name, 'what is passed in: globals are the world')),
]
const processAndConsole = [ban('process', 'Settings, or base/node'), ban('console', 'the Log that is passed in')]

const bannedProperties = [
  { object: 'Math', property: 'random', message: 'Use the Prng that is passed in.' },
  { object: 'AbortSignal', property: 'timeout', message: 'Use Clock.after and an AbortController.' },
]
const bannedImports = {
  paths: [
    {
      name: 'node:crypto',
      importNames: ['randomBytes', 'randomUUID', 'randomInt', 'randomFill', 'randomFillSync', 'getRandomValues', 'webcrypto'],
      message: 'Use the Prng or IdSource that is passed in.',
    },
    { name: 'node:timers', message: 'Use Clock.' },
    { name: 'node:timers/promises', message: 'Use Clock.' },
    { name: 'node:perf_hooks', message: 'Use Clock.' },
    { name: 'node:process', message: 'Use Settings, or base/node.' },
    { name: 'node:console', message: 'Use Log.' },
  ],
}

const noLooseState = [
  {
    selector: 'Program > VariableDeclaration[kind="let"], Program > ExportNamedDeclaration > VariableDeclaration[kind="let"]',
    message: 'No module-level mutable state: put it in an object that the composition root creates.',
  },
  { selector: 'ExportAllDeclaration', message: 'A door names what it exports.' },
  { selector: 'ExportDefaultDeclaration', message: 'No default exports.' },
  { selector: 'TSEnumDeclaration', message: 'Use a union of string literals.' },
]
const noWaiting = [
  { selector: ':function[async=true]', message: 'A core never waits: return what should be done, the shell does it.' },
  { selector: 'AwaitExpression', message: 'A core never waits.' },
  { selector: 'ForOfStatement[await=true]', message: 'A core never waits.' },
  { selector: 'NewExpression[callee.name="Promise"]', message: 'A core never waits.' },
  { selector: 'MemberExpression[object.name="Promise"]', message: 'A core never waits.' },
]
const noThrowing = [
  {
    selector: 'ThrowStatement:not(FunctionDeclaration[id.name=/^assert/] ThrowStatement)',
    message: 'A pure file returns outcomes; only assert throws.',
  },
]

const sizes = {
  'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
  'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
  'max-params': ['error', 4],
  complexity: ['error', 16],
}
const noSizes = { 'max-lines': 'off', 'max-lines-per-function': 'off', 'max-params': 'off', complexity: 'off' }

const everywhere = {
  '@typescript-eslint/no-floating-promises': 'error',
  '@typescript-eslint/no-misused-promises': 'error',
  '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
  '@typescript-eslint/no-explicit-any': 'error',
  '@typescript-eslint/no-unsafe-assignment': 'error',
  '@typescript-eslint/no-unsafe-argument': 'error',
  '@typescript-eslint/no-unsafe-call': 'error',
  '@typescript-eslint/no-unsafe-member-access': 'error',
  '@typescript-eslint/no-unsafe-return': 'error',
  '@typescript-eslint/only-throw-error': 'error',
  '@typescript-eslint/prefer-promise-reject-errors': 'error',
  '@typescript-eslint/strict-boolean-expressions': 'error',
  '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: false }],
  '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false }],
  '@typescript-eslint/no-import-type-side-effects': 'error',
  '@typescript-eslint/no-unnecessary-type-assertion': 'error',
  '@typescript-eslint/no-array-delete': 'error',
  '@typescript-eslint/no-base-to-string': 'error',
  '@typescript-eslint/no-for-in-array': 'error',
  '@typescript-eslint/no-implied-eval': 'error',
  '@typescript-eslint/ban-ts-comment': 'error',
  'no-empty': ['error', { allowEmptyCatch: false }],
  eqeqeq: 'error',
  'no-eval': 'error',
  'no-var': 'error',
  'prefer-const': 'error',
  'no-self-compare': 'error',
  'preserve-caught-error': 'error',
}

const pureRooms = [
  'src/model/**/*.ts',
  'src/protocol/**/*.ts',
  'src/*/core/**/*.ts',
  'tiers/*/core/**/*.ts',
  'recovery/core/**/*.ts',
]

export default tseslint.config(
  { ignores: ['dist/**', 'data/**', 'coverage/**', 'node_modules/**', '**/*.{js,mjs,cjs}', '**/*.d.ts'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.base],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: { ...everywhere, ...sizes, 'no-restricted-syntax': ['error', ...noLooseState] },
  },
  {
    files: ['src/**/*.ts', 'tiers/**/*.ts', 'recovery/**/*.ts'],
    ignores: ['src/base/node/**', 'src/cli/**'],
    rules: {
      'no-restricted-globals': ['error', ...timeAndChance, ...processAndConsole],
      'no-restricted-properties': ['error', ...bannedProperties],
      'no-restricted-imports': ['error', bannedImports],
    },
  },
  {
    // The command line talks to a person: it may write and read argv. Time and chance stay out all the same.
    files: ['src/cli/**/*.ts'],
    rules: {
      'no-restricted-globals': ['error', ...timeAndChance],
      'no-restricted-properties': ['error', ...bannedProperties],
      'no-restricted-imports': ['error', { paths: bannedImports.paths.filter(({ name }) => name !== 'node:process') }],
    },
  },
  {
    files: pureRooms,
    rules: { 'no-restricted-syntax': ['error', ...noLooseState, ...noWaiting, ...noThrowing] },
  },
  {
    // Base holds the tools for waiting (single-flight, queue, sleep) as plain promises; like a core it never throws but asserts.
    files: ['src/base/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...noLooseState, noWaiting[0], noWaiting[1], noWaiting[2], ...noThrowing] },
  },
  {
    // Regenerated and compared on every check, compiled strictly, free of promises by the rules above. Rules that ask for types would
    // cost a fifth of the whole run here.
    files: ['src/protocol/generated/**/*.ts'],
    rules: { ...tseslint.configs.disableTypeChecked.rules, ...noSizes },
  },
  {
    // Tests read from top to bottom: long is fine; what must be there is asserted by the test itself; what `beforeAll` makes is kept in a
    // variable of the file, which no other file sees.
    files: ['test/**/*.ts'],
    rules: {
      ...noSizes,
      'no-restricted-syntax': ['error', ...noLooseState.slice(1)],
      '@typescript-eslint/strict-boolean-expressions': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
  {
    // Tool configurations are looked for under a default export.
    files: ['vitest.config.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
)
