// Owns the claim that the subject of a certificate is written as Java writes it. The certificates were made by openssl, the texts beside
// them are what X500Principal.getName() of a JDK said of them.

import { describe, expect, it } from 'vitest'
import { seededPrng } from '../../../../../src/base/prng.ts'
import { subjectOf } from '../../../../../src/server/security/distinguished-name.ts'

const vectors: ReadonlyArray<readonly [subject: string, der: string]> = [
  [
    String.raw`CN=Müller \"x\"\;\<y\>\=z,1.2.840.113549.1.9.1=#160b6140622e6578616d706c65,OU=a+UID=u7,O=Example\, Inc. \#1,C=DE`,
    'MIICUjCCAfmgAwIBAgIUMvCmwZzsAKGS1eVfFOok2VNqmjgwCgYIKoZIzj0EAwIwfjELMAkGA1UEBhMCREUxGTAXBgNVBAoMEEV4YW1wbGUsIEluYy4gIzExHDAIBgNVBAsMAWEwEAYKCZImiZPyLGQBAQwCdTcxGjAYBgkqhkiG9w0BCQEWC2FAYi5leGFtcGxlMRowGAYDVQQDDBFNw7xsbGVyICJ4Ijs8eT49ejAgFw0yNjExMjYwMTU0MzdaGA8yMTI2MTEwMjAxNTQzN1owfjELMAkGA1UEBhMCREUxGTAXBgNVBAoMEEV4YW1wbGUsIEluYy4gIzExHDAIBgNVBAsMAWEwEAYKCZImiZPyLGQBAQwCdTcxGjAYBgkqhkiG9w0BCQEWC2FAYi5leGFtcGxlMRowGAYDVQQDDBFNw7xsbGVyICJ4Ijs8eT49ejBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABM4/xTXhbfdcmlq+ZuITdglfNCLKyzTmF80S10h7FSHflhcofDE54uE+9lK68Ypa+uG2SEz4tkz7nb4nOrU3y2KjUzBRMB0GA1UdDgQWBBRMfpHDeFJnsaI2wO/6gie+5+SOezAfBgNVHSMEGDAWgBRMfpHDeFJnsaI2wO/6gie+5+SOezAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIGR2ftZflLhVpVBtjTnIFcnB1nUHsrS9jf2wSBiugVKBAiB3eqa3Nhg67zTOSCb27jkzcc5vImIEocRY7P/eguhfDA==',
  ],
  [
    String.raw`CN=\ two spaces\ ,ST=MD,L=Town,STREET=5 Road,DC=example,DC=com`,
    'MIICOjCCAeGgAwIBAgIUW7ygegzLNFB+C/bMqk/AsP51se8wCgYIKoZIzj0EAwIwcjETMBEGCgmSJomT8ixkARkWA2NvbTEXMBUGCgmSJomT8ixkARkWB2V4YW1wbGUxDzANBgNVBAkMBjUgUm9hZDENMAsGA1UEBwwEVG93bjELMAkGA1UECAwCTUQxFTATBgNVBAMMDCB0d28gc3BhY2VzIDAgFw0yNjExMjYwMTU0MzdaGA8yMTI2MTEwMjAxNTQzN1owcjETMBEGCgmSJomT8ixkARkWA2NvbTEXMBUGCgmSJomT8ixkARkWB2V4YW1wbGUxDzANBgNVBAkMBjUgUm9hZDENMAsGA1UEBwwEVG93bjELMAkGA1UECAwCTUQxFTATBgNVBAMMDCB0d28gc3BhY2VzIDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAgFV39uiJ0AUW3gy0MXnB8ZyqxGTtmQFdvyAR4qSIQoGGiK7hRaes9wqAdC04ZanwYbE8tuoXjID0B7VXX8CtujUzBRMB0GA1UdDgQWBBRcKibfTyKRTWasB0hDWdILY1bQ5zAfBgNVHSMEGDAWgBRcKibfTyKRTWasB0hDWdILY1bQ5zAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIB+yNwf02BcrJvaGRDx7kG3YyAzsFpiPrSqLRDrQWIZmAiAHiFjj+4SxY6ngcfxxEzzd0xtHX+UX6OjWbeCOlOpLDQ==',
  ],
  [
    String.raw`CN=alice`,
    'MIIBdzCCAR2gAwIBAgIUAh1w3FLww5uSm7tpSg9ePA4lhWQwCgYIKoZIzj0EAwIwEDEOMAwGA1UEAwwFYWxpY2UwIBcNMjYxMTI2MDE1NDM3WhgPMjEyNjExMDIwMTU0MzdaMBAxDjAMBgNVBAMMBWFsaWNlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEh1hopYoZ56gorLOayZMVARk4Q4WbFvRCIxEHxWBvsODkokwTOF+NFzO/oSU487W9wsNdRfSQhcLR/fCMbrbStqNTMFEwHQYDVR0OBBYEFCJWOFkSYVNo/s0DUORrA+bRbIU5MB8GA1UdIwQYMBaAFCJWOFkSYVNo/s0DUORrA+bRbIU5MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAJtBzXNKmeyUDLom1tqmGt5X30LHQ1Zl2POGtSH6FjLiAiApi3h26YAYNWCEgjuw0Aa2Z6fN6wzYmF1sbg7h9otPjw==',
  ],
  [
    String.raw`CN=\#hash\\back,2.5.4.5=#13023132`,
    'MIIBmjCCAUGgAwIBAgIUDWr9h6GosnKyyTwkBjD5tglCLD0wCgYIKoZIzj0EAwIwIjELMAkGA1UEBRMCMTIxEzARBgNVBAMMCiNoYXNoXGJhY2swIBcNMjYxMTI2MDE1NDM3WhgPMjEyNjExMDIwMTU0MzdaMCIxCzAJBgNVBAUTAjEyMRMwEQYDVQQDDAojaGFzaFxiYWNrMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAESZWVmpzUsUcuIQ6HSuXr61UnsBeMeGdoZriMAcFT5qo370lIT+vgt2aIPIdxHbl5AuGcc5HCI6dUWGXY+PPTXaNTMFEwHQYDVR0OBBYEFLGamxAX0mI2uRuy+Pwc/SULlOKZMB8GA1UdIwQYMBaAFLGamxAX0mI2uRuy+Pwc/SULlOKZMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgRQdVwLbVsZ0VwuBS0LEeuuBjIe7lfKJbspcGKiiODEkCIAJ9hazMZpYII6s1iV0vigWS7yDzy/Y6j8NLaQjByBGq',
  ],
]

const certificateOf = (der: string): Buffer => Buffer.from(der, 'base64')

describe('the subject of a certificate', () => {
  it.each(vectors)('%s', (subject, der) => {
    expect(subjectOf(certificateOf(der))).toBe(subject)
  })

  it('is none where the bytes are no certificate, and no bytes make it fail otherwise', () => {
    expect(subjectOf(new Uint8Array(0))).toBeUndefined()
    const whole = certificateOf(vectors[0]![1])
    for (let length = 0; length < whole.length; length += 1) expect(subjectOf(whole.subarray(0, length))).toBeUndefined()
    const prng = seededPrng(5)
    for (let round = 0; round < 2_000; round += 1) {
      const bent = Buffer.from(whole)
      for (let times = 1 + prng.below(4); times > 0; times -= 1) bent[prng.below(250)] = prng.below(256)
      const subject = subjectOf(bent)
      expect(subject === undefined || typeof subject === 'string').toBe(true)
    }
  })
})
