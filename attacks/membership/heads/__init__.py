"""Who was a private head fitted on?"""
