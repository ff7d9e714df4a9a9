/**
 * Owns the list of the tools tests may need, installing them, and the rule for tests whose tool is absent: skipped by name and in
 * sight on a desk, an error under CI=true.
 */
import { describe } from 'vitest'
import { findTool, type ToolName } from './tool-list.ts'

export interface ToolState {
  readonly available: boolean
  /** Empty when available. */
  readonly reason: string
}

/** Asks only what is on the disk: installs nothing, so it may stand at the top of a test file. */
export function requireTool(name: ToolName): ToolState {
  const { isInstalled, remedy } = findTool(name)
  if (isInstalled()) return { available: true, reason: '' }
  const reason = `${name} is not installed. Remedy: npm run tools -- --only ${name}; ${remedy}`
  if (process.env['CI'] === 'true') throw new Error(reason)
  return { available: false, reason }
}

/** `describe`, skipped with the reason in its name if one of the tools is missing. */
export function describeWithTools(names: readonly ToolName[], title: string, body: () => void): void {
  const missing = names.map((name) => requireTool(name)).filter(({ available }) => !available)
  if (missing.length === 0) describe(title, body)
  else describe.skip(`${title} [skipped: ${missing.map(({ reason }) => reason).join(' · ')}]`, body)
}
