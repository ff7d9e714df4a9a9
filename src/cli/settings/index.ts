// The door of the settings: the schema's type, how they are loaded, and how they are told to people.
export { type Address, showAddress } from './kinds.ts'
export { type EffectiveSetting, type LoadedSettings, type SettingsSources, describeProblem, loadSettings } from './load.ts'
export { settingsHelp, settingsMarkdown } from './documentation.ts'
export type { Settings } from './schema.ts'
export type { Environment, SettingProblem, SettingsFile } from './sources.ts'
