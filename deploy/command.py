"""Main file for spark-submit: any command of dualsink, such as `setup`. Its params file leaves `spark_master` empty."""

from dualsink.cli.main import main

if __name__ == "__main__":
    main()
