"""A Spark job with mrjob, which submits itself."""

from operator import add

from mrjob.job import MRJob


class WordCount(MRJob):
    def spark(self, input_path: str, output_path: str) -> None:
        from pyspark import SparkContext

        context = SparkContext(appName="words")
        words = context.textFile(input_path).flatMap(str.split)
        counts = words.map(lambda word: (word, 1)).reduceByKey(add)
        counts.map(lambda pair: f"{pair[0]}\t{pair[1]}").saveAsTextFile(output_path)
        context.stop()


if __name__ == "__main__":
    WordCount.run()
