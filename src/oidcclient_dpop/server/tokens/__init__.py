"""Access tokens as an API gets them: checked here (RFC 9068) or by the authorization server (RFC 7662)."""
