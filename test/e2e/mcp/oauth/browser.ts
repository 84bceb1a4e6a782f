/** Somebody with a browser, who agrees to everything: cookies of each host, redirects, and the one form of a page. */
export interface Visited {
  readonly status: number
  readonly url: string
  readonly text: string
}

export class Browser {
  private readonly jars = new Map<string, Map<string, string>>()
  /** What is sent with every request to a host beside cookies. */
  readonly headers: Record<string, Record<string, string>> = {}
  /** Everywhere it has been. */
  readonly seen: Array<string> = []

  set(origin: string, name: string, value: string): void {
    const { host } = new URL(origin)
    let jar = this.jars.get(host)
    if (jar === undefined) this.jars.set(host, (jar = new Map()))
    jar.set(name, value)
  }

  cookies(origin: string): ReadonlyMap<string, string> {
    return this.jars.get(new URL(origin).host) ?? new Map()
  }

  async fetch(url: string, init: RequestInit = {}): Promise<Response> {
    const { host } = new URL(url)
    this.seen.push(url)
    const jar = this.jars.get(host)
    const cookie = jar === undefined ? "" : [...jar].map(([name, value]) => `${name}=${value}`).join("; ")
    const response = await fetch(url, {
      ...init,
      redirect: "manual",
      headers: {
        ...this.headers[host],
        ...(cookie === "" ? {} : { cookie }),
        ...(init.headers as Record<string, string>),
      },
    })
    for (const line of response.headers.getSetCookie()) {
      const [pair = ""] = line.split(";")
      const at = pair.indexOf("=")
      const value = pair.slice(at + 1)
      if (value === "" || /max-age=0/i.test(line)) this.jars.get(host)?.delete(pair.slice(0, at))
      else this.set(url, pair.slice(0, at), value)
    }
    return response
  }

  /** Follows redirects to their end. */
  async go(url: string, init: RequestInit = {}): Promise<Visited> {
    let next = url
    let how = init
    for (let i = 0; i < 10; i++) {
      const response = await this.fetch(next, how)
      const location = response.headers.get("location")
      if (location === null || response.status < 300 || response.status > 399) {
        return { status: response.status, url: next, text: await response.text() }
      }
      next = new URL(location, next).href
      how = {}
    }
    throw new Error("it goes round in circles")
  }

  /** Where the form of a page leads, and what is in it. */
  static formIn({ text, url }: Visited): { readonly action: string; readonly fields: URLSearchParams } | undefined {
    const unescaped = (value: string): string =>
      value.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
    const [, action, content] = /<form method="post" action="([^"]*)">([\s\S]*?)<\/form>/.exec(text) ?? []
    if (action === undefined || content === undefined) return undefined
    const fields = new URLSearchParams()
    for (const [, name = "", value = ""] of content.matchAll(/name="([^"]*)" value="([^"]*)"/g)) {
      fields.set(unescaped(name), unescaped(value))
    }
    return { action: new URL(unescaped(action), url).href, fields }
  }

  async submit(page: Visited, more: Record<string, string> = {}): Promise<Visited> {
    const form = Browser.formIn(page)
    if (form === undefined) throw new Error(`no form: ${page.status} ${page.text}`)
    for (const [name, value] of Object.entries(more)) form.fields.set(name, value)
    return this.go(form.action, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", origin: new URL(form.action).origin },
      body: form.fields.toString(),
    })
  }

  /** Opens a link and agrees. */
  async agree(url: string): Promise<Visited> {
    const page = await this.go(url)
    return page.status === 200 ? this.submit(page) : page
  }
}
