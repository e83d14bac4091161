"""Activities: what workflows run on workers. Users decorate functions; workers discover and run them."""
