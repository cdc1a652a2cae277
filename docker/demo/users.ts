export interface User {
  id: string
  name: string
  role: string
}

/** Nobody of these exists, and no password is asked: what matters here comes after the login. */
export const USERS: readonly User[] = [
  { id: 'user_ada', name: 'Ada Okafor', role: 'Buys books' },
  { id: 'user_bjorn', name: 'Björn Lindqvist', role: 'Runs the shop' },
  { id: 'user_mei', name: 'Mei Tanaka', role: 'Answers the mail' }
]
