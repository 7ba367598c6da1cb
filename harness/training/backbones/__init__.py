"""Backbone training on stills: identities first, then expressions."""
