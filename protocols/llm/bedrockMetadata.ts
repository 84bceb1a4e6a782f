/** Texts that Amazon Bedrock takes as metadata of a request, keys and values alike. */
export const isMetadata = (text: string): boolean => text.length <= 256 && /^[a-zA-Z0-9\s:_@$#=/+,.-]*$/.test(text)
