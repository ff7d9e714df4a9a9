// Owns the settings of listeners, TLS and SASL: a part of the table in schema.ts, which puts them among the others.

import { address, choice, milliseconds, optionalAddress, optionalText, text, yesNo } from './kinds.ts'
import {
  listenerAddresses,
  mechanismNames,
  namedAddresses,
  optionalUrl,
  principals,
  securityProtocols,
} from './security-kinds.ts'

const second = 1000
const day = 86_400_000

export const listenerSettings = {
  'kafka.listen': {
    kind: address,
    default: '127.0.0.1:9092',
    doc: 'Where Kafka clients connect; `[::]:9092` listens everywhere.',
  },
  'kafka.advertised': {
    kind: optionalAddress,
    default: '',
    doc: 'The address clients are told to connect to; empty means the one listened on.',
  },
  'kafka.security-protocol': {
    kind: choice(securityProtocols),
    default: 'PLAINTEXT',
    doc: 'How clients of kafka.listen are served: with TLS (`SSL`), with SASL, both, or neither.',
  },
  'kafka.listeners': {
    kind: listenerAddresses,
    default: '',
    doc: 'Several listeners, instead of kafka.listen: `INTERNAL=PLAINTEXT://127.0.0.1:9092, SASL_SSL://[::]:9093`. Without a name one is called by its protocol.',
  },
  'kafka.advertised-listeners': {
    kind: namedAddresses,
    default: '',
    doc: 'The addresses clients of each listener are told to connect to: `SASL_SSL://broker.example:9093`. One not named here tells the address it listens on.',
  },
} as const

export const securitySettings = {
  'tls.certificate-file': {
    kind: optionalText,
    default: '',
    doc: 'The certificate of this node in PEM, with the chain after it. Needed by listeners with SSL or SASL_SSL.',
  },
  'tls.key-file': { kind: optionalText, default: '', doc: 'The private key of that certificate, in PEM.' },
  'tls.key-password': { kind: optionalText, default: '', secret: true, doc: 'The password of the private key, if it has one.' },
  'tls.ca-file': {
    kind: optionalText,
    default: '',
    doc: 'The authorities that client certificates come from, in PEM; needed when tls.client-auth asks for them.',
  },
  'tls.client-auth': {
    kind: choice(['none', 'requested', 'required']),
    default: 'none',
    doc: 'Whether clients of listeners with SSL show a certificate; with SASL_SSL they are never asked for one.',
  },
  'tls.min-version': {
    kind: choice(['TLSv1.2', 'TLSv1.3']),
    default: 'TLSv1.2',
    doc: 'Clients with an older TLS are turned away.',
  },
  'tls.principal-mapping-rules': {
    kind: text,
    default: 'DEFAULT',
    doc: "From the subject of a client's certificate to its user, as Kafka's ssl.principal.mapping.rules: `RULE:^CN=(.*?),.*$/$1/L, DEFAULT`.",
  },

  'sasl.mechanisms': {
    kind: mechanismNames,
    default: 'SCRAM-SHA-256,SCRAM-SHA-512',
    doc: 'The ways to log in on listeners with SASL: `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`, `OAUTHBEARER`.',
  },
  'sasl.admin-user': {
    kind: optionalText,
    default: '',
    doc: 'A SCRAM user that is made at the start when the cluster has none of that name: the one who makes the others.',
  },
  'sasl.admin-password': {
    kind: optionalText,
    default: '',
    secret: true,
    doc: 'The password that user is made with. Changing it here later changes nothing: use kafka-configs.',
  },
  'sasl.plain-users-file': {
    kind: optionalText,
    default: '',
    doc: 'The users of PLAIN, a TOML file with a line like `alice = "secret"` for each. Needed with mechanism PLAIN.',
  },
  'sasl.oauth-jwks-file': {
    kind: optionalText,
    default: '',
    doc: 'The public keys that bearer tokens are signed with (JWKS); with OAUTHBEARER this or sasl.oauth-jwks-url is needed.',
  },
  'sasl.oauth-jwks-url': { kind: optionalUrl, default: '', doc: 'Where those keys are fetched instead.' },
  'sasl.oauth-issuer': {
    kind: optionalText,
    default: '',
    doc: 'Tokens must come from this issuer (claim `iss`); needed with OAUTHBEARER.',
  },
  'sasl.oauth-audience': {
    kind: optionalText,
    default: '',
    doc: 'Tokens must be meant for one of these (claim `aud`), separated by commas; needed with OAUTHBEARER.',
  },
  'sasl.oauth-subject-claim': { kind: text, default: 'sub', doc: "The claim that names the token's user." },
  'sasl.oauth-clock-skew-ms': {
    kind: milliseconds(0, 3600 * second),
    default: '30s',
    doc: "How far the issuer's clock may be from ours.",
  },
  'sasl.session-ms-max': {
    kind: milliseconds(0, 365 * day),
    default: '0',
    doc: 'A client has to authenticate again after so long, or its connection is closed; 0: never. A session never outlives its token.',
  },

  'acl.enabled': {
    kind: yesNo,
    default: 'false',
    doc: 'Ask ACLs before anything is served; whoever they say nothing about may do nothing. Without it everybody who gets in may do everything.',
  },
  'acl.super-users': {
    kind: principals,
    default: '',
    doc: 'Who may do everything, and so give rights to others: `User:admin; User:CN=root,O=Example`. Needed with acl.enabled.',
  },
  'acl.allow-if-none': {
    kind: yesNo,
    default: 'false',
    doc: "Allow what no ACL speaks of, as Kafka's allow.everyone.if.no.acl.found.",
  },

  'security.reload-interval-ms': {
    kind: milliseconds(100, day),
    default: '10s',
    doc: 'How often the files of certificates, PLAIN users and token keys are looked at for changes.',
  },
} as const
