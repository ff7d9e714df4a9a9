// Owns the question "are the packages that the lock names here?" and its remedy, npm ci. Needs no package itself: it runs first on
// a fresh clone.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** The oldest Node that runs Chronik; `engines` in package.json says the same. */
const nodeMin = [20, 12]

/**
 * Compares contents, not times: a checkout touches the lock without changing it.
 *
 * @param {string} folder
 * @returns {string | undefined} why the packages must be installed, or undefined when they are all here
 */
export function whyInstall(folder) {
  const installedPath = join(folder, 'node_modules', '.package-lock.json')
  if (!existsSync(installedPath)) return 'node_modules is missing'
  const wanted = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')).packages
  const installed = JSON.parse(readFileSync(installedPath, 'utf8')).packages
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue
    const found = installed[path]
    const mayBeAbsent = entry.optional === true || entry.devOptional === true || entry.peer === true
    if (found === undefined && !mayBeAbsent) return `${path} is not installed`
    if (found !== undefined && found.version !== entry.version) {
      return `${path} is ${found.version}, the lock names ${entry.version}`
    }
  }
  return undefined
}

/** Ends the process with a sentence when Node is too old; nothing later would say so as clearly. */
export function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > nodeMin[0] || (major === nodeMin[0] && minor >= nodeMin[1])) return
  process.stderr.write(`chronik: needs Node ${nodeMin.join('.')} or newer; this is ${process.versions.node}\n`)
  process.exit(2)
}

/** Installs what the lock names when something is missing. Ends the process when that fails. */
export function ensureInstalled() {
  requireNode()
  const reason = whyInstall(root)
  if (reason === undefined) return
  process.stderr.write(`chronik: ${reason}; running npm ci\n`)
  run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund'], 'npm ci failed; its output above says why')
}

/**
 * Runs a command in the repository's root with its output in sight, and ends the process with its code when it fails.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {string} remedy
 */
export function run(command, args, remedy) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], env: process.env })
  if (status === 0) return
  process.stderr.write(`chronik: ${error === undefined ? remedy : `${command} did not start (${error.message})`}\n`)
  process.exit(status === null || status === 0 ? 1 : status)
}
