// Package demo is the command "claimproxy demo": everything that somebody needs
// to see claimproxy at work on one machine, without a configuration.
//
// It holds a sample telemetry application, made after what KUserFeedback's server
// offers, the people and the provider who sign in to it (package devprovider), the
// configuration that puts claimproxy in front of both, and the guide that is
// printed. Run starts all of it and takes it away again.
//
// The application guards nothing itself: it believes the X-Forwarded-* headers, as
// applications behind claimproxy do. The package does not know how claimproxy is
// built from a configuration; the composition root hands that in as Serve.
package demo
