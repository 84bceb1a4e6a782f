/**
 * What a text says that speaks to a model rather than describes something. Patterns are compared with one folded sentence
 * at a time; those of other languages with the sentence in its own letters.
 */

/** Nobody writes these by accident: a definition that has one is not taken on trust. */
const strongClasses = [
  "hidden",
  "override",
  "secrecy",
  "exfiltration",
  "secretFile",
  "foreign",
  "repeated",
  "oversize",
  "mixedScript",
] as const

const cueClasses = [
  ...strongClasses,
  // Ordinary in themselves; news where they were not before.
  "imperative",
  "url",
  "address",
  "command",
  "credential",
  "encoded",
  "markup",
  "script",
  "sibling",
  // What a definition lets a caller do.
  "hint",
  "schema",
  "member",
  "identity",
] as const
export type CueClass = (typeof cueClasses)[number]

const strong: ReadonlySet<CueClass> = new Set(strongClasses)

/** Whether a cue is enough by itself. */
export const isStrong = (one: CueClass): boolean => strong.has(one)

type Patterns = ReadonlyArray<readonly [CueClass, RegExp]>

const audience = "(?:user|human|anyone|anybody|person|people|operator|customer|end-user)s?"

/** Said in these words however they are spelled or encoded. */
const blunt: Patterns = [
  [
    "override",
    /\b(?:ignore|disregard|forget|override|bypass|overrule|discard)\b[^.]{0,40}\b(?:previous|prior|above|earlier|preceding|former|all|any|other|your|existing|system|every)\b[^.]{0,30}\b(?:instruction|prompt|rule|guideline|message|direction|restriction|safety|polic)/,
  ],
  [
    "override",
    /\b(?:new|updated|real|actual|hidden|additional) (?:system )?instructions? ?(?::|for (?:the )?(?:ai|assistant|model|agent))/,
  ],
  [
    "override",
    /\b(?:you are now|from now on,? you|act as an? (?:unrestricted|unfiltered|jailbroken)|developer mode|jailbreak)\b/,
  ],
  ["override", /\binstead of (?:the |your )?(?:user's|original|previous) (?:request|instruction|task|goal)/],
  [
    "secrecy",
    new RegExp(
      `\\b(?:do not|don't|dont|never|must not|mustn't|should not|shouldn't|without|avoid|refrain from|not)\\b[^.]{0,30}\\b(?:tell|mention|inform|reveal|disclos|notify|notif|alert|let)[a-z]*\\b[^.]{0,40}\\b${audience}\\b`,
    ),
  ],
  [
    "secrecy",
    new RegExp(
      `\\bwithout (?:asking|telling|informing|notifying|the (?:knowledge|consent) of)[^.]{0,20}\\b${audience}\\b`,
    ),
  ],
  ["secrecy", /\b(?:do not|don't|never) (?:mention|disclose|reveal) (?:this|that|these|it|any of this)\b/],
  ["secrecy", /\b(?:secretly|covertly|surreptitiously)\b/],
  [
    "secrecy",
    /\b(?:silently|quietly) (?:send|call|forward|copy|upload|read|include|append|add|pass|collect|log|post|invoke|run)\b/,
  ],
  ["secrecy", /\bkeep (?:this|it|that|these)[^.]{0,20}\b(?:secret|hidden|confidential|between us|private from)/],
  ["secrecy", new RegExp(`\\b(?:hide|conceal|withhold)\\b[^.]{0,40}\\bfrom (?:the )?${audience}\\b`)],
  [
    "secrecy",
    new RegExp(
      `\\b${audience}\\b[^.]{0,20}\\b(?:must not|should not|shouldn't|need not|doesn't need to|does not need to|must never) (?:know|see|be told|be informed|notice|learn)`,
    ),
  ],
  [
    "exfiltration",
    /\b(?:send|forward|upload|post|transmit|copy|include|append|pass|attach|leak|embed|insert|provide|put|supply|paste|write|bcc)\b[^.]{0,60}\b(?:conversation|chat history|system prompt|message history|previous messages|(?:entire|full|whole) (?:context|prompt|history)|your instructions)\b/,
  ],
  [
    "exfiltration",
    /\b(?:send|forward|upload|post|transmit|copy|include|append|pass|attach|leak|embed|insert|provide|put|supply|paste|read|fetch)\b[^.]{0,40}\b(?:contents?|output|result|text)s? of[^.]{0,40}(?:~\/|\/etc\/|\/home\/|\/root\/|%appdata%|\.ssh|\.env\b)/,
  ],
]

const further: Patterns = [
  [
    "secretFile",
    /(?:~|\$home|%userprofile%|%appdata%|\/home\/[\w.-]+|\/root|\/users\/[\w.-]+)\/?\.(?:ssh|aws|gnupg|kube|docker|config|cursor|netrc|npmrc|pypirc|claude|git-credentials)|\bid_(?:rsa|ed25519|ecdsa|dsa)\b|\/etc\/(?:passwd|shadow|sudoers)|\.ssh\/|\.aws\/credentials|\b(?:claude_desktop_config|mcp)\.json\b|\/proc\/self\/environ/,
  ],
  [
    "override",
    /<\/?(?:important|system|instructions?|assistant|admin|secret|hidden|critical|priority|sys|rules?)(?:\s[^>]*)?>/,
  ],
  ["override", /\[\/?(?:inst|system|admin)\]|<\|[a-z_]+\|>|<<sys>>/],
  ["override", /^\W*(?:system|assistant|developer) ?(?:prompt|message|note)? ?:/],
  [
    "imperative",
    /\b(?:you|assistants?|models?|agents?|llms?|ai|claude|gpt|chatgpt)\b[^.]{0,20}\b(?:must|should|shall|have to|has to|needs? to|are required|is required|ought to)\b/,
  ],
  [
    "imperative",
    /\b(?:always|never|first|immediately|automatically)\b[^.]{0,16}\b(?:call|use|run|invoke|read|execute|include|send|pass|append|prefer|open|fetch|set|add)\b/,
  ],
  [
    "imperative",
    /\b(?:before|after|prior to|whenever|each time|every time) (?:using|calling|you|any|each|every|invoking|running)\b/,
  ],
  ["imperative", /\b(?:instead of|rather than)\b[^.]{0,30}\b(?:tools?|using|calling|functions?)\b/],
  [
    "imperative",
    /\b(?:important|critical|mandatory|attention|required|urgent|note to (?:the )?(?:ai|assistant|model|agent|llm)s?)\b ?[:!]/,
  ],
  ["imperative", /\b(?:do not|don't|must not|never) (?:use|call|invoke|trust|run)\b/],
  [
    "imperative",
    /\b(?:also|additionally|in addition)\b,?[^.]{0,20}\b(?:send|forward|call|copy|post|upload|invoke|read)\b/,
  ],
  ["imperative", /\b(?:otherwise|or else)\b[^.]{0,40}\b(?:fail|error|not work|break|crash|lose)/],
  [
    "command",
    /\b(?:curl|wget|netcat|scp|powershell|sudo|rm -rf|(?:ba|z)?sh -c|python3? -c|node -e|base64 (?:-d|--decode)|chmod|eval|nslookup)\b[ (]\S/,
  ],
  ["command", /\| ?(?:ba|z)?sh\b/],
  [
    "credential",
    /\b(?:api[ _-]?keys?|passwords?|passphrases?|credentials?|private[ _-]?keys?|access[ _-]?tokens?|secrets?|bearer tokens?|session cookies?|\.env)\b/,
  ],
  ["markup", /<!--|<\/?[a-z][a-z0-9-]*(?:\s[^<>]*)?\/?>|!\[[^\]]*\]\(/],
]

/** In their own letters, lower case. */
const elsewhere: Patterns = [
  [
    "override",
    /ignorier\w* (?:bitte )?(?:alle |sämtliche )?(?:vorherigen|bisherigen|früheren|obigen|anderen)|vergiss (?:alle )?(?:vorherigen|bisherigen)/,
  ],
  ["override", /(?:ignor|oubli)\w* (?:toutes )?les (?:instructions|consignes|règles)/],
  ["override", /(?:ignor|olvid)\w* (?:todas )?las (?:instrucciones|reglas|indicaciones)/],
  ["override", /(?:ignor|esque[cç])\w* (?:todas )?as (?:instruções|regras)/],
  ["override", /ignora\w* (?:tutte )?le istruzioni/],
  [
    "override",
    /(?:игнорируй|забудь|проигнорируй)\p{L}*|(?:忽略|无视|忘记)[^。]{0,10}(?:指令|指示|说明|规则|提示)|無視して|指示を無視|무시하/u,
  ],
  [
    "secrecy",
    /(?:sage?|erwähne?|verrate?|teile?|informiere?)\b[^.]{0,40}\b(?:nutzer|benutzer|anwender)\p{L}*[^.]{0,30}\b(?:nicht|nichts)\b|(?:nicht|ohne)\b[^.]{0,20}\b(?:nutzer|benutzer|anwender)/u,
  ],
  [
    "secrecy",
    /\bne\b[^.]{0,20}\b(?:dis|dites|mentionne|mentionnez|révèle|révélez|informe|informez)\b[^.]{0,30}\b(?:utilisateur|personne)/,
  ],
  ["secrecy", /\bno (?:le |se lo )?(?:digas|diga|menciones|mencione|reveles|informes|informe)\b/],
  ["secrecy", /\bnão (?:conte|mencione|diga|revele|informe)\b|\bnon (?:dire|menzionare|rivelare|informare)\b/],
  [
    "secrecy",
    /не (?:говори|сообщай|упоминай|рассказывай)\p{L}*|不要(?:告诉|提及|透露|通知)|别告诉|言わないで|伝えないで|知らせないで|말하지 ?마|알리지 ?마/u,
  ],
]

export const phrasesIn = (folded: string, own: string): ReadonlyArray<CueClass> => {
  const found = new Set<CueClass>()
  for (const [cue, pattern] of blunt) if (!found.has(cue) && pattern.test(folded)) found.add(cue)
  for (const [cue, pattern] of further) if (!found.has(cue) && pattern.test(folded)) found.add(cue)
  for (const [cue, pattern] of elsewhere) if (!found.has(cue) && pattern.test(own)) found.add(cue)
  return [...found]
}

const leet: Readonly<Record<string, string>> = {
  "0": "o",
  "1": "i",
  "3": "e",
  "4": "a",
  "5": "s",
  "7": "t",
  "@": "a",
  $: "s",
}
const rotated = (text: string): string =>
  text.replace(/[a-z]/g, (one) => String.fromCharCode(((one.charCodeAt(0) - 97 + 13) % 26) + 97))

/** Without anything between its letters. */
const squeezed =
  /ignore(?:all|any|the|your)*(?:previous|prior|above|earlier)(?:all|the)*(?:instruction|prompt|rule|message)|disregard(?:all|any|the|your)*(?:previous|prior|above)|donot(?:tell|inform|notify|mentionthisto|mentionitto)(?:the)?user|without(?:telling|informing|asking)theuser/

/** What a text says once a simple disguise is taken off. */
export const disguisedIn = (folded: string): ReadonlyArray<CueClass> => {
  const found = new Set<CueClass>()
  const variants = [
    folded.replace(/[013457@$]/g, (one) => leet[one] ?? one),
    rotated(folded),
    [...folded].toReversed().join(""),
  ]
  for (const variant of variants) {
    if (variant === folded) continue
    for (const [cue, pattern] of blunt) if (pattern.test(variant) && !pattern.test(folded)) found.add(cue)
  }
  const letters = folded.replace(/[^a-z]/g, "")
  if (squeezed.test(letters) && !blunt.some(([, pattern]) => pattern.test(folded))) found.add("override")
  return [...found]
}
