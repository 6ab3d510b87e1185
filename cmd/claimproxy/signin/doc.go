// Package signin is the native program's side of claimproxy: it signs a person in to an
// application on the machine where the program runs, knowing nothing but the
// application's address, and keeps a fresh token at hand.
//
// What is what: the application says who may sign people in (discover.go), the provider
// says how (provider.go), the person does it in their own browser (browser.go, RFC 8252)
// or on another device (device.go, RFC 8628). What comes of that is kept for one origin
// (logins.go), the tokens in the keyring of the operating system where there is one
// (keyring.go), and renewed when it is needed (fresh.go). curl.go and gitcredential.go
// hand tokens to two programs that can use them.
//
// A token goes to the origin that it was got for and to nobody else; what applications
// and providers say of themselves is never believed further than they could be held to.
package signin
