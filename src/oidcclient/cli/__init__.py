"""The command `oidcclient`: no protocol, only what a person or a script says and sees."""
