/**
 * Parts in both versions. What 0.3 has no place for travels in the metadata of the part, under names that are taken
 * away again on the way back: the media type and file name of texts and data, and data that is no object.
 */
import { type Fields, fieldsOf, isFields, listOf, present, textOf } from "../Fields.ts"

/** Says that `data.value` is meant; the public SDKs use the same word for it. */
const wrapped = "data_part_compat"
const described = "part_compat"

/** Metadata without what was only there for a 1.0 reader. */
const without = (metadata: Fields, name: string): Fields | undefined => {
  const { [name]: _, ...rest } = metadata
  return Object.keys(rest).length === 0 ? undefined : rest
}

const readMetadata = (part: Fields): { readonly metadata: Fields | undefined; readonly also: Fields } => {
  const metadata = isFields(part["metadata"]) ? part["metadata"] : undefined
  const also = metadata?.[described]
  return metadata === undefined || !isFields(also)
    ? { metadata, also: {} }
    : {
        metadata: without(metadata, described),
        also: present({ filename: also["filename"], mediaType: also["mediaType"] }),
      }
}

const fromLegacy = (value: unknown): unknown => {
  const part = fieldsOf(value)
  switch (part["kind"]) {
    case "text": {
      const { kind: _, metadata: __, ...rest } = part
      const { also, metadata } = readMetadata(part)
      return present({ ...rest, metadata, ...also })
    }
    case "file": {
      const { file: inside, kind: _, ...rest } = part
      const { bytes, mimeType, name, uri } = fieldsOf(inside)
      return present({ ...rest, raw: bytes, url: uri, filename: textOf(name), mediaType: textOf(mimeType) })
    }
    case "data": {
      const { data, kind: _, metadata: __, ...rest } = part
      const { also, metadata } = readMetadata(part)
      const isWrapped = metadata?.[wrapped] === true && isFields(data) && "value" in data
      return present({
        ...rest,
        data: isWrapped ? data["value"] : data,
        metadata: isWrapped ? without(metadata, wrapped) : metadata,
        ...also,
      })
    }
    default:
      return value
  }
}

const addTo = (metadata: unknown, more: Fields): Fields => ({ ...fieldsOf(metadata), ...more })

/** `filename` and `mediaType`, where 0.3 has no place for them. */
const describedIn = (part: Fields, metadata: unknown): unknown => {
  const also = present({ filename: textOf(part["filename"]), mediaType: textOf(part["mediaType"]) })
  return Object.keys(also).length === 0 ? metadata : addTo(metadata, { [described]: also })
}

const toLegacy = (value: unknown): unknown => {
  const part = fieldsOf(value)
  const { data, filename, mediaType, metadata, raw, text, url, ...rest } = part
  if (raw !== undefined || url !== undefined) {
    const file = present({ bytes: raw, uri: url, mimeType: textOf(mediaType), name: textOf(filename) })
    return present({ ...rest, kind: "file", file, metadata })
  }
  if (text !== undefined) return present({ ...rest, kind: "text", text, metadata: describedIn(part, metadata) })
  if (!("data" in part)) return value
  const kept = describedIn(part, metadata)
  return isFields(data)
    ? present({ ...rest, kind: "data", data, metadata: kept })
    : { ...rest, kind: "data", data: { value: data ?? null }, metadata: addTo(kept, { [wrapped]: true }) }
}

export const partsFromLegacy = (parts: unknown): ReadonlyArray<unknown> => listOf(parts).map(fromLegacy)
export const partsToLegacy = (parts: unknown): ReadonlyArray<unknown> => listOf(parts).map(toLegacy)
