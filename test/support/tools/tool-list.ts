/** Owns the list of tools: name, whether it is here, how to get it. */
import { installLocalStack, isLocalStackInstalled, localStackRemedy } from '../../../localstack/index.ts'
import { installKafka, isKafkaInstalled, kafkaRemedy } from './kafka.ts'
import { installKcat, isKcatInstalled, kcatRemedy } from './kcat.ts'
import { installMinio, isMinioInstalled, minioRemedy } from './minio.ts'
import { installPython, isPythonInstalled, pythonRemedy } from './python.ts'
import { installToxiproxy, isToxiproxyInstalled, toxiproxyRemedy } from './toxiproxy.ts'
import { installVersityGw, isVersityGwInstalled, versityGwRemedy } from './versitygw.ts'

export interface Tool {
  readonly name: string
  readonly purpose: string
  readonly remedy: string
  /** Not needed by `npm test`: installed only when named. */
  readonly optional?: boolean
  isInstalled(): boolean
  install(): Promise<void>
}

const hasLocalStackEndpoint = (): boolean => (process.env['CHRONIK_LOCALSTACK_ENDPOINT'] ?? '') !== ''

export const tools = [
  {
    name: 'localstack',
    purpose: 'S3 for contract tests and drills',
    remedy: localStackRemedy,
    isInstalled: () => hasLocalStackEndpoint() || isLocalStackInstalled(),
    install: async () => {
      if (!hasLocalStackEndpoint()) await installLocalStack()
    },
  },
  {
    name: 'kafka',
    purpose: 'Apache Kafka: its tools for interop, its broker as the peer',
    remedy: kafkaRemedy,
    isInstalled: isKafkaInstalled,
    install: installKafka,
  },
  {
    name: 'python',
    purpose: 'confluent-kafka, kafka-python, aiokafka',
    remedy: pythonRemedy,
    isInstalled: isPythonInstalled,
    install: installPython,
  },
  { name: 'kcat', purpose: 'librdkafka from the shell', remedy: kcatRemedy, isInstalled: isKcatInstalled, install: installKcat },
  {
    name: 'toxiproxy',
    purpose: 'bad networks in front of a store',
    remedy: toxiproxyRemedy,
    isInstalled: isToxiproxyInstalled,
    install: installToxiproxy,
  },
  {
    name: 'minio',
    purpose: 'an S3 that survives its own restart',
    remedy: minioRemedy,
    isInstalled: isMinioInstalled,
    install: installMinio,
  },
  {
    name: 'versitygw',
    purpose: 'a third S3 for conformance',
    remedy: versityGwRemedy,
    optional: true,
    isInstalled: isVersityGwInstalled,
    install: installVersityGw,
  },
] as const satisfies readonly Tool[]

export type ToolName = (typeof tools)[number]['name']

export function findTool(name: ToolName): Tool {
  const found = tools.find((tool) => tool.name === name)
  if (found === undefined) throw new Error(`no tool is called ${name}; there are ${tools.map((tool) => tool.name).join(', ')}`)
  return found
}
