/** Owns making a bucket at a store that checks signatures. A bucket that is ours already is what was wanted. */

export interface S3Door {
  readonly endpoint: string
  readonly accessKey: string
  readonly secretKey: string
}

export async function createBucket({ endpoint, accessKey, secretKey }: S3Door, name: string): Promise<void> {
  const { CreateBucketCommand, S3Client } = await import('@aws-sdk/client-s3')
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
  })
  try {
    await client.send(new CreateBucketCommand({ Bucket: name }))
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'BucketAlreadyOwnedByYou') throw error
  } finally {
    client.destroy()
  }
}
